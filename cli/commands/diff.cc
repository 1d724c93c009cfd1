#include <fcntl.h>
#include <fmt/core.h>

#include <cerrno>

#include "cli/cli.h"
#include "cli/containers.h"
#include "cli/runtime/upper.h"

namespace varve {
namespace {

struct DiffOptions {
  std::vector<std::string> names;
};

// Of a container, from what it has written.
Result<int> DiffContainer(Session& session, const std::string& name) {
  const ContainerRoom room(session.paths().containers());
  VARVE_ASSIGN_OR_RETURN(const Container container, room.Find(name));
  const std::string path = room.DirectoryOf(container.record.id) + "/upper";
  const UniqueFd upper(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!upper.valid() && errno == ENOENT) return 0;  // it was never started
  if (!upper.valid()) return ErrnoError(errno, path);
  VARVE_ASSIGN_OR_RETURN(const UniqueFd lower, RootOf(session, container.record));
  VARVE_ASSIGN_OR_RETURN(const std::vector<Change> changes, ChangesOf(upper.get(), lower.get()));
  for (const Change& change : changes) fmt::print("{} {}\n", static_cast<char>(change.kind), change.path);
  return 0;
}

// Of two images, from their indexes.
Result<int> DiffImages(Session& session, const std::vector<std::string>& names) {
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  v1::DiffRequest request;
  request.set_from(names[0]);
  request.set_to(names[1]);
  if (names.size() > 2) request.set_path(names[2]);
  VARVE_RETURN_IF_ERROR(daemon.Diff(request, [](const v1::DiffChanges& changes) {
    for (const auto& change : changes.changes())
      fmt::print("{} {}\n", v1::DiffChanges::Kind_Name(change.kind()).front(), change.path());
  }));
  return 0;
}

Result<int> RunDiff(Session& session, const DiffOptions& options) {
  return options.names.size() == 1 ? DiffContainer(session, options.names[0]) : DiffImages(session, options.names);
}

}  // namespace

void AddDiff(Cli& cli) {
  auto options = std::make_shared<DiffOptions>();
  CLI::App* command = cli.app.add_subcommand(
      "diff", "List what a container, or one image after another, has added (A), changed (C) and deleted (D)");
  command->add_option("CONTAINER|IMAGE IMAGE [PATH]", options->names, "a container, or two images and where to look")
      ->required()
      ->expected(1, 3);
  SetAction(cli, command, options, RunDiff);
}

}  // namespace varve
