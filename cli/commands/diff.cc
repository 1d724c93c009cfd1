#include <fcntl.h>
#include <fmt/core.h>

#include <cerrno>

#include "cli/cli.h"
#include "cli/containers.h"
#include "cli/runtime/upper.h"

namespace varve {
namespace {

struct DiffOptions {
  std::string container;
};

Result<int> RunDiff(Session& session, const DiffOptions& options) {
  const ContainerRoom room(session.paths().containers());
  VARVE_ASSIGN_OR_RETURN(const Container container, room.Find(options.container));
  const std::string path = room.DirectoryOf(container.record.id) + "/upper";
  const UniqueFd upper(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!upper.valid() && errno == ENOENT) return 0;  // it was never started
  if (!upper.valid()) return ErrnoError(errno, path);
  VARVE_ASSIGN_OR_RETURN(const UniqueFd lower, RootOf(session, container.record));
  VARVE_ASSIGN_OR_RETURN(const std::vector<Change> changes, ChangesOf(upper.get(), lower.get()));
  for (const Change& change : changes) fmt::print("{} {}\n", static_cast<char>(change.kind), change.path);
  return 0;
}

}  // namespace

void AddDiff(Cli& cli) {
  auto options = std::make_shared<DiffOptions>();
  CLI::App* command =
      cli.app.add_subcommand("diff", "List what a container has added (A), changed (C) and deleted (D)");
  command->add_option("CONTAINER", options->container, "name, id or beginning of an id")->required();
  SetAction(cli, command, options, RunDiff);
}

}  // namespace varve
