#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "cli/cli.h"
#include "cli/container_documents.h"
#include "cli/listing/filters.h"
#include "cli/listing/print.h"
#include "cli/listing/rows.h"
#include "cli/network_documents.h"
#include "cli/runtime/room.h"

namespace varve {
namespace {

constexpr std::size_t kCommandWidth = 20;
// docker's; a container is never "removing" or "dead" here.
constexpr std::array<std::string_view, 7> kStatuses = {"created",  "running", "paused", "restarting",
                                                       "removing", "exited",  "dead"};

struct PsOptions {
  bool all = false;
  bool quiet = false;
  bool no_trunc = false;
  bool latest = false;
  std::optional<std::size_t> last;
  std::vector<std::string> filters;
  std::string format;
};

bool IsAncestor(const ContainerRecord& record, const std::string& image) {
  return record.image == image || record.image == image + ":latest" || record.image_id == image ||
         record.image_id.starts_with("sha256:" + image);
}

bool IsNumber(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// When the container was created that before= or since= names; of no value, nothing.
Result<std::optional<std::string>> TimeOf(const ContainerRoom& room, const std::vector<std::string>& names) {
  if (names.empty()) return std::optional<std::string>();
  VARVE_ASSIGN_OR_RETURN(const Container other, room.Find(names.back()));
  return std::optional(other.record.created);
}

// Newest first.
Result<std::vector<Container>> Choose(const ContainerRoom& room, const PsOptions& options) {
  VARVE_ASSIGN_OR_RETURN(
      const Filters filters,
      Filters::Parse(options.filters, {"id", "name", "label", "status", "exited", "ancestor", "before", "since"}));
  VARVE_RETURN_IF_ERROR(filters.Check(
      "status", [](const std::string& text) { return std::ranges::find(kStatuses, text) != kStatuses.end(); }));
  VARVE_RETURN_IF_ERROR(filters.Check("exited", IsNumber));
  VARVE_ASSIGN_OR_RETURN(const auto before, TimeOf(room, filters.Of("before")));
  VARVE_ASSIGN_OR_RETURN(const auto since, TimeOf(room, filters.Of("since")));
  const std::optional<std::size_t> last = options.latest ? std::optional<std::size_t>(1) : options.last;
  const bool all = options.all || last || !filters.Of("status").empty() || !filters.Of("exited").empty();
  VARVE_ASSIGN_OR_RETURN(std::vector<Container> containers, room.List());
  std::ranges::reverse(containers);
  std::vector<Container> chosen;
  for (Container& container : containers) {
    if (last && chosen.size() == *last) break;
    const ContainerRecord& record = container.record;
    const ContainerState& state = container.state;
    if ((all || state.live()) && (!before || record.created < *before) && (!since || record.created > *since) &&
        filters.Pass("id", [&](const std::string& id) { return record.id.starts_with(id); }) &&
        filters.PassName(record.name) &&
        filters.Pass("status", [&](const std::string& status) { return status == StatusName(container); }) &&
        filters.Pass("exited",
                     [&](const std::string& code) {
                       return state.status == ContainerStatus::kExited && code == std::to_string(state.exit_code);
                     }) &&
        filters.Pass("ancestor", [&](const std::string& image) { return IsAncestor(record, image); }) &&
        filters.PassLabels(LabelsOf(record)))
      chosen.push_back(std::move(container));
  }
  return chosen;
}

Result<std::string> PortsOf(const ContainerRoom& room, const Container& container) {
  if (!container.state.live()) return std::string();
  VARVE_ASSIGN_OR_RETURN(const std::optional<Endpoint> endpoint, ReadEndpoint(room.DirectoryOf(container.record.id)));
  return PortsText(container.record.options.network, endpoint);
}

Result<int> RunPs(Session& session, const PsOptions& options) {
  const ContainerRoom room(session.paths().containers());
  VARVE_ASSIGN_OR_RETURN(const std::vector<Container> containers, Choose(room, options));
  const bool whole_command = options.no_trunc || options.format == "json";
  std::vector<std::string> rows;
  for (const Container& container : containers) {
    const ContainerRecord& record = container.record;
    VARVE_ASSIGN_OR_RETURN(const std::string ports, PortsOf(room, container));
    rows.push_back(ContainerRowJson(container, options.no_trunc ? record.id : ShortId(record.id),
                                    CommandText(record, whole_command ? SIZE_MAX : kCommandWidth), ports));
  }
  VARVE_ASSIGN_OR_RETURN(
      const std::string text,
      FormatRows(options.quiet ? "{{.ID}}" : options.format,
                 "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}",
                 {{"ID", "CONTAINER ID"},
                  {"Image", "IMAGE"},
                  {"Command", "COMMAND"},
                  {"RunningFor", "CREATED"},
                  {"CreatedAt", "CREATED AT"},
                  {"Status", "STATUS"},
                  {"State", "STATE"},
                  {"Ports", "PORTS"},
                  {"Names", "NAMES"},
                  {"Labels", "LABELS"},
                  {"Networks", "NETWORKS"}},
                 rows));
  fmt::print("{}", text);
  return 0;
}

}  // namespace

void AddPs(Cli& cli) {
  auto options = std::make_shared<PsOptions>();
  CLI::App* command = cli.app.add_subcommand("ps", "List containers");
  command->add_flag("-a,--all", options->all, "those too that do not run");
  command->add_flag("-q,--quiet", options->quiet, "print ids only");
  command->add_flag("--no-trunc", options->no_trunc, "print whole ids and commands");
  command->add_flag("-l,--latest", options->latest, "the one that was created last, in any state");
  command->add_option("-n,--last", options->last, "the last N, in any state");
  command->add_option("-f,--filter", options->filters,
                      "id=, name=, label=, status=, exited=, ancestor=, before=, since=");
  command->add_option("--format", options->format, kFormatHelp);
  SetAction(cli, command, options, RunPs);
}

}  // namespace varve
