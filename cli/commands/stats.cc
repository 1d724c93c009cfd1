#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <thread>

#include "cli/cli.h"
#include "cli/container_documents.h"
#include "cli/listing/print.h"
#include "cli/listing/rows.h"
#include "cli/runtime/life.h"
#include "cli/runtime/usage.h"

namespace varve {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kInterval{1};

struct StatsOptions {
  std::vector<std::string> containers;
  bool all = false;
  bool once = false;
  bool no_trunc = false;
  std::string format;
};

struct Sample {
  Usage usage;
  Clock::time_point when;
};
using Samples = std::map<std::string, Sample>;  // by id

// Those that were named or, without names, those that run.
Result<std::vector<Container>> Chosen(const ContainerRoom& room, const StatsOptions& options) {
  std::vector<Container> chosen;
  for (const std::string& name : options.containers) {
    VARVE_ASSIGN_OR_RETURN(Container container, room.Find(name));
    chosen.push_back(std::move(container));
  }
  if (!options.containers.empty()) return chosen;
  VARVE_ASSIGN_OR_RETURN(std::vector<Container> all, room.List());
  for (Container& container : all) {
    if (options.all || container.state.live()) chosen.push_back(std::move(container));
  }
  return chosen;
}

// One that does not run has none.
Samples Take(const std::vector<Container>& containers) {
  Samples samples;
  for (const Container& container : containers) {
    const Result<ProcessId> first = FirstProcessOf(container);
    if (!first.ok()) continue;
    const Result<Usage> usage = ReadUsage(container.record.id, first->pid);
    if (usage.ok()) samples[container.record.id] = {*usage, Clock::now()};
  }
  return samples;
}

std::string Pair(const std::string& first, const std::string& second) { return fmt::format("{} / {}", first, second); }

StatsRow RowOf(const Container& container, const Samples& before, const Samples& now, bool no_trunc) {
  StatsRow row{.id = no_trunc ? container.record.id : ShortId(container.record.id),
               .name = container.record.name,
               .cpu = "--",
               .memory = "-- / --",
               .memory_share = "--",
               .network = "--",
               .block = "--",
               .processes = "--"};
  const auto earlier = before.find(container.record.id), later = now.find(container.record.id);
  if (earlier == before.end() || later == now.end()) return row;
  const Usage& usage = later->second.usage;
  const auto passed = std::chrono::duration<double, std::nano>(later->second.when - earlier->second.when).count();
  const auto share = [](double part, double whole) {
    return fmt::format("{:.2f}%", whole > 0 ? 100 * part / whole : 0);
  };
  const std::uint64_t cpu_ns = usage.cpu_ns - std::min(usage.cpu_ns, earlier->second.usage.cpu_ns);
  row.cpu = share(static_cast<double>(cpu_ns), passed);
  row.memory = Pair(BinarySize(usage.memory_bytes), BinarySize(usage.memory_limit_bytes));
  row.memory_share = share(static_cast<double>(usage.memory_bytes), static_cast<double>(usage.memory_limit_bytes));
  row.network = Pair(DecimalSize(usage.received_bytes), DecimalSize(usage.sent_bytes));
  row.block = Pair(DecimalSize(usage.read_bytes), DecimalSize(usage.written_bytes));
  row.processes = std::to_string(usage.processes);
  return row;
}

Status Print(const std::vector<std::string>& rows, const StatsOptions& options) {
  VARVE_ASSIGN_OR_RETURN(
      const std::string text,
      FormatRows(options.format,
                 "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
                 {{"ID", "CONTAINER ID"},
                  {"Container", "CONTAINER"},
                  {"Name", "NAME"},
                  {"CPUPerc", "CPU %"},
                  {"MemUsage", "MEM USAGE / LIMIT"},
                  {"MemPerc", "MEM %"},
                  {"NetIO", "NET I/O"},
                  {"BlockIO", "BLOCK I/O"},
                  {"PIDs", "PIDS"}},
                 rows));
  const bool redrawn = !options.once && ::isatty(STDOUT_FILENO) != 0 && options.format != "json";
  fmt::print("{}{}", redrawn ? "\033[2J\033[H" : "", text);
  return Ok();
}

// The share of CPU time is that between two looks.
Result<int> RunStats(Session& session, const StatsOptions& options) {
  const ContainerRoom room(session.paths().containers());
  VARVE_ASSIGN_OR_RETURN(std::vector<Container> containers, Chosen(room, options));
  for (Samples before = Take(containers);;) {
    std::this_thread::sleep_for(kInterval);
    VARVE_ASSIGN_OR_RETURN(containers, Chosen(room, options));
    Samples now = Take(containers);
    std::vector<std::string> rows;
    rows.reserve(containers.size());
    for (const Container& container : containers)
      rows.push_back(StatsRowJson(RowOf(container, before, now, options.no_trunc)));
    VARVE_RETURN_IF_ERROR(Print(rows, options));
    if (std::fflush(stdout) != 0 || options.once) return 0;
    before = std::move(now);
  }
}

}  // namespace

void AddStats(Cli& cli) {
  auto options = std::make_shared<StatsOptions>();
  CLI::App* command = cli.app.add_subcommand("stats", "Show what containers use, once a second");
  command->add_option("CONTAINER", options->containers, "names, ids or beginnings of ids (all that run)");
  command->add_flag("-a,--all", options->all, "those too that do not run");
  command->add_flag("--no-stream", options->once, "show it once");
  command->add_flag("--no-trunc", options->no_trunc, "print whole ids");
  command->add_option("--format", options->format, kFormatHelp);
  SetAction(cli, command, options, RunStats);
}

}  // namespace varve
