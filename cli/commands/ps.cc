#include <fmt/core.h>

#include <algorithm>

#include "cli/cli.h"
#include "cli/container_documents.h"
#include "cli/print.h"
#include "cli/runtime/room.h"

namespace varve {
namespace {

struct PsOptions {
  bool all = false;
  bool quiet = false;
  bool no_trunc = false;
  bool latest = false;
  std::optional<std::size_t> last;
  std::vector<std::string> filters;
  std::string format;
};

bool LabelMatches(const std::vector<std::string>& labels, const std::string& wanted) {
  return std::ranges::any_of(labels, [&](const std::string& label) {
    return label == wanted || (label.starts_with(wanted + "=") && wanted.find('=') == std::string::npos);
  });
}

Result<bool> Passes(const ContainerRoom& room, const Container& container, const std::string& filter) {
  const std::size_t equals = filter.find('=');
  const std::string key = filter.substr(0, equals);
  const std::string value = equals == std::string::npos ? "" : filter.substr(equals + 1);
  const ContainerRecord& record = container.record;
  if (key == "id") return record.id.starts_with(value);
  if (key == "name") return record.name.find(value) != std::string::npos;
  if (key == "label") return LabelMatches(record.options.labels, value);
  if (key == "status") return value == StatusName(container.state.status);
  if (key == "exited")
    return container.state.status == ContainerStatus::kExited && value == std::to_string(container.state.exit_code);
  if (key == "ancestor") {
    return record.image == value || record.image == value + ":latest" || record.image_id == value ||
           record.image_id.starts_with("sha256:" + value);
  }
  if (key == "before" || key == "since") {
    VARVE_ASSIGN_OR_RETURN(const Container other, room.Find(value));
    return key == "before" ? record.created < other.record.created : record.created > other.record.created;
  }
  return Error(Code::kInvalidArgument,
               "invalid filter '" + key + "' (known: id, name, label, status, exited, ancestor, before, since)");
}

// docker's rule: filters of one key are alternatives, filters of different keys must all hold.
Result<bool> PassesAll(const ContainerRoom& room, const Container& container, const std::vector<std::string>& filters) {
  std::map<std::string, bool> by_key;
  for (const std::string& filter : filters) {
    VARVE_ASSIGN_OR_RETURN(const bool passes, Passes(room, container, filter));
    const std::string key = filter.substr(0, filter.find('='));
    by_key[key] = by_key[key] || passes;
  }
  return std::ranges::all_of(by_key, [](const auto& entry) { return entry.second; });
}

// Newest first.
Result<std::vector<Container>> Choose(const ContainerRoom& room, const PsOptions& options) {
  const auto names_state = [](const std::string& filter) {
    return filter.starts_with("status=") || filter.starts_with("exited=");
  };
  const std::optional<std::size_t> last = options.latest ? std::optional<std::size_t>(1) : options.last;
  const bool all = options.all || last || std::ranges::any_of(options.filters, names_state);
  VARVE_ASSIGN_OR_RETURN(std::vector<Container> containers, room.List());
  std::ranges::reverse(containers);
  std::vector<Container> chosen;
  for (Container& container : containers) {
    if (last && chosen.size() == *last) break;
    if (!all && !container.state.live()) continue;
    VARVE_ASSIGN_OR_RETURN(const bool passes, PassesAll(room, container, options.filters));
    if (passes) chosen.push_back(std::move(container));
  }
  return chosen;
}

Result<int> RunPs(Session& session, const PsOptions& options) {
  const ContainerRoom room(session.paths().containers());
  VARVE_ASSIGN_OR_RETURN(const std::vector<Container> containers, Choose(room, options));
  Table table({"CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"});
  for (const Container& container : containers) {
    const ContainerRecord& record = container.record;
    const std::string id = options.no_trunc ? record.id : ShortId(record.id);
    const std::string command = options.no_trunc ? CommandText(record) : ShortCommandText(record);
    if (options.quiet) {
      fmt::print("{}\n", id);
    } else if (options.format == "json") {
      fmt::print("{}\n", ContainerRowJson(container));
    } else {
      table.Add({id, record.image, command, AgoOf(record.created), StatusText(container.state), "", record.name});
    }
  }
  if (!options.quiet && options.format != "json") fmt::print("{}", table.ToString());
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
  command->add_option("--format", options->format, "json: one object a line")->check(CLI::IsMember({"json", "table"}));
  SetAction(cli, command, options, RunPs);
}

}  // namespace varve
