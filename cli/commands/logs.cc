#include <fmt/core.h>

#include <charconv>

#include "cli/cli.h"
#include "cli/runtime/container_log.h"
#include "cli/runtime/output.h"
#include "cli/runtime/time_text.h"

namespace varve {
namespace {

struct LogsOptions {
  std::string container;
  bool follow = false;
  bool timestamps = false;
  std::string tail = "all";
  std::string since;
  std::string until;
};

Result<int> RunLogs(Session& session, const LogsOptions& options) {
  const ContainerRoom room(session.paths().containers());
  VARVE_ASSIGN_OR_RETURN(const Container container, room.Find(options.container));
  LogOptions log{.follow = options.follow ? Follow::kUntilItEnds : Follow::kNo,
                 .times = options.timestamps ? Times::kShown : Times::kHidden,
                 .tail_lines = std::nullopt,
                 .since = std::nullopt};
  if (options.tail != "all") {
    std::size_t lines = 0;
    const char* const end = options.tail.data() + options.tail.size();
    const auto [rest, error] = std::from_chars(options.tail.data(), end, lines);
    if (error != std::errc() || rest != end)
      return Error(Code::kInvalidArgument, fmt::format("--tail {}: a number of lines, or all", options.tail));
    log.tail_lines = lines;
  }
  if (!options.since.empty()) {
    VARVE_ASSIGN_OR_RETURN(log.since, ParseMoment(options.since).In("--since"));
  }
  if (!options.until.empty()) {
    VARVE_ASSIGN_OR_RETURN(log.until, ParseMoment(options.until).In("--until"));
  }
  VARVE_RETURN_IF_ERROR(ReadContainerLog(room, container.record.id, log, WriteOutput));
  return 0;
}

}  // namespace

void AddLogs(Cli& cli) {
  auto options = std::make_shared<LogsOptions>();
  CLI::App* command = cli.app.add_subcommand("logs", "Show what a container has said");
  command->add_option("CONTAINER", options->container, "name, id or beginning of an id")->required();
  command->add_flag("-f,--follow", options->follow, "go on until it ends");
  command->add_flag("-t,--timestamps", options->timestamps, "show when each line was said");
  command->add_option("-n,--tail", options->tail, "the last N lines alone, or all");
  command->add_option("--since", options->since, "a time, or a duration such as 10m, to show what was said since");
  command->add_option("--until", options->until, "the same, to show what was said until then");
  SetAction(cli, command, options, RunLogs);
}

}  // namespace varve
