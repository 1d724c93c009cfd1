#include <fmt/core.h>
#include <fmt/ranges.h>

#include "cached/base/bytes.h"
#include "cli/cli.h"
#include "cli/runtime/life.h"

namespace varve {
namespace {

struct PruneOptions {
  bool force = false;
};

Result<int> RunPrune(Session& session, const PruneOptions& options) {
  if (!options.force && !Confirm("WARNING! This will remove all stopped containers.")) return 0;
  VARVE_ASSIGN_OR_RETURN(const Pruned pruned, PruneContainers(ContainerRoom(session.paths().containers())));
  if (!pruned.ids.empty()) fmt::print("Deleted Containers:\n{}\n\n", fmt::join(pruned.ids, "\n"));
  fmt::print("Total reclaimed space: {}\n", HumanSize(pruned.bytes));
  return 0;
}

}  // namespace

void AddContainer(Cli& cli) {
  CLI::App* container = cli.app.add_subcommand("container", "All containers");
  container->require_subcommand(1);
  auto options = std::make_shared<PruneOptions>();
  CLI::App* command = container->add_subcommand("prune", "Remove containers that do not run");
  command->add_flag("-f,--force", options->force, "do not ask");
  SetAction(cli, command, options, RunPrune);
}

}  // namespace varve
