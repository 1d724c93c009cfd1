#include <fmt/core.h>
#include <fmt/ranges.h>

#include "cached/base/bytes.h"
#include "cli/cli.h"
#include "cli/container_documents.h"
#include "cli/listing/filters.h"
#include "cli/runtime/life.h"
#include "cli/runtime/time_text.h"

namespace varve {
namespace {

struct PruneOptions {
  std::vector<std::string> filters;
  bool force = false;
};

Result<int> RunPrune(Session& session, const PruneOptions& options) {
  VARVE_ASSIGN_OR_RETURN(const Filters filters, Filters::Parse(options.filters, {"label", "label!", "until"}));
  std::string until;  // as TimeText, which sorts as times do
  if (!filters.Of("until").empty()) {
    VARVE_ASSIGN_OR_RETURN(const auto moment, ParseMoment(filters.Of("until").back()).In("--filter until"));
    until = TimeText(moment);
  }
  const std::string which = options.filters.empty() ? "." : " that the filters choose.";
  if (!options.force && !Confirm("WARNING! This will remove all stopped containers" + which)) return 0;
  const auto chosen = [&](const Container& container) {
    return filters.PassLabels(LabelsOf(container.record)) && (until.empty() || container.record.created < until);
  };
  VARVE_ASSIGN_OR_RETURN(const Pruned pruned, PruneContainers(ContainerRoom(session.paths().containers()), chosen));
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
  command->add_option("--filter", options->filters, "label=, until=")->allow_extra_args(false);
  command->add_flag("-f,--force", options->force, "do not ask");
  SetAction(cli, command, options, RunPrune);
}

}  // namespace varve
