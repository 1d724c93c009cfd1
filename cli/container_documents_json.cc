#include <fmt/core.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "cached/base/fs.h"
#include "cli/container_documents.h"
#include "cli/listing/print.h"
#include "cli/network_documents_json.h"
#include "cli/runtime/key_value.h"
#include "cli/runtime/limits.h"

namespace varve {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kNoTime = "0001-01-01T00:00:00Z";  // Go's zero, which docker prints

std::string TimeOr(const std::string& time) { return time.empty() ? kNoTime : time; }

Json StateOf(const Container& container, pid_t pid) {
  const ContainerState& state = container.state;
  return {{"Status", StatusName(container)},
          {"Running", state.status == ContainerStatus::kRunning},
          {"Paused", container.paused},
          {"Restarting", state.status == ContainerStatus::kRestarting},
          {"OOMKilled", state.out_of_memory},
          {"Dead", false},
          {"Pid", pid},
          {"ExitCode", state.status == ContainerStatus::kRunning ? 0 : state.exit_code},
          {"Error", state.error},
          {"StartedAt", TimeOr(state.started)},
          {"FinishedAt", TimeOr(state.finished)}};
}

std::string NetworksText(const NetworkOptions& options) {
  return options.kind() == NetworkKind::kContainer ? "" : options.network;
}

Json UlimitsOf(const Json& bundle) {
  Json limits = Json::array();
  for (const Json& limit : bundle.value(Json::json_pointer("/process/rlimits"), Json::array())) {
    std::string name = limit.value("type", "");
    name.erase(0, std::string_view("RLIMIT_").size());
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    limits.push_back({{"Name", name}, {"Hard", limit.at("hard")}, {"Soft", limit.at("soft")}});
  }
  return limits;
}

Json HostConfigOf(const RunOptions& options, const Json& bundle) {
  const RestartPolicy& restart = options.restart;
  const auto limit = [&](const char* path) { return bundle.value(Json::json_pointer(path), std::int64_t{0}); };
  const std::int64_t processes = limit("/linux/resources/pids/limit");
  return {{"Binds", options.storage.volumes},
          {"NetworkMode", options.network.network},
          {"PortBindings", PortBindingsOf(options.network)},
          {"PublishAllPorts", options.network.publish_all},
          {"Dns", options.network.dns},
          {"DnsSearch", options.network.dns_search},
          {"DnsOptions", options.network.dns_options},
          {"ExtraHosts", options.network.add_hosts},
          {"RestartPolicy",
           {{"Name", restart.on_failure ? "on-failure" : "no"}, {"MaximumRetryCount", restart.most_times.value_or(0)}}},
          {"AutoRemove", options.at_end == AtEnd::kRemoved},
          {"CapAdd", options.cap_add},
          {"CapDrop", options.cap_drop},
          {"Memory", limit("/linux/resources/memory/limit")},
          {"MemorySwap", limit("/linux/resources/memory/swap")},
          {"NanoCpus", limit("/linux/resources/cpu/quota") * (1'000'000'000 / std::int64_t{kCpuPeriodUs})},
          {"CpusetCpus", options.limits.cpuset_cpus},
          {"PidsLimit", processes > 0 ? Json(processes) : Json()},
          {"Privileged", options.security.privileged == Privileged::kYes},
          {"SecurityOpt", options.security.options},
          {"GroupAdd", options.security.groups},
          {"Init", options.first_process == FirstProcess::kInit},
          {"Ulimits", UlimitsOf(bundle)},
          {"ReadonlyRootfs", options.root_access == RootAccess::kReadOnly}};
}

using Words = std::vector<std::string>;

Json ListOrNull(const Words& words) { return words.empty() ? Json() : Json(words); }

// What was resolved when the container was created stands in its bundle.
Json ConfigOf(const ContainerRecord& record, const Json& bundle) {
  const RunOptions& options = record.options;
  const Json process = bundle.value("process", Json::object());
  // The command is the entrypoint and the arguments.
  const auto arguments = std::min(options.args.size(), record.command.size());
  const Words entrypoint(record.command.begin(), record.command.end() - static_cast<std::ptrdiff_t>(arguments));
  Json config = {{"Hostname", bundle.value("hostname", "")},
                 {"User", options.user},
                 {"ExposedPorts", ExposedPortsOf(options.network)},
                 {"Tty", options.terminal == Terminal::kAllocated},
                 {"OpenStdin", options.standard_input != Stdin::kEmpty},
                 {"StdinOnce", options.standard_input == Stdin::kPassed},
                 {"Env", process.value("env", Json::array())},
                 {"Cmd", ListOrNull(options.args)},
                 {"Image", record.image},
                 {"WorkingDir", process.value("cwd", "/")},
                 {"Entrypoint", ListOrNull(entrypoint)},
                 {"Labels", LabelsOf(record)},
                 {"StopSignal", record.stop_signal}};
  if (options.stop_timeout_seconds) config["StopTimeout"] = *options.stop_timeout_seconds;
  return config;
}

Json MountsOf(const std::vector<ContainerMount>& mounts) {
  Json list = Json::array();
  for (const ContainerMount& mount : mounts) {
    Json json = {{"Type", MountKindName(mount.kind)}};
    if (mount.kind == MountKind::kVolume) json["Name"] = mount.name;
    json["Source"] = mount.kind == MountKind::kImage ? mount.name : mount.source;
    json["Destination"] = mount.destination;
    if (mount.kind == MountKind::kVolume) json["Driver"] = "local";
    json["Mode"] = mount.mode;
    json["RW"] = !mount.read_only;
    json["Propagation"] = mount.propagation;
    list.push_back(std::move(json));
  }
  return list;
}

std::string Text(const Json& json, int indent) { return json.dump(indent, ' ', false, Json::error_handler_t::replace); }

}  // namespace

std::string StatusText(const Container& container) {
  const ContainerState& state = container.state;
  switch (state.status) {
    case ContainerStatus::kCreated:
      return "Created";
    case ContainerStatus::kRunning:
      return fmt::format("Up {}{}", SinceText(state.started), container.paused ? " (Paused)" : "");
    case ContainerStatus::kRestarting:
      return fmt::format("Restarting ({}) {}", state.exit_code, AgoOf(state.finished));
    case ContainerStatus::kExited:
      return fmt::format("Exited ({}) {}", state.exit_code, AgoOf(state.finished));
  }
  return "";
}

std::string CommandText(const ContainerRecord& record, std::size_t most) {
  return fmt::format("\"{}\"", CellOf(fmt::format("{}", fmt::join(record.command, " ")), most));
}

std::string StatsRowJson(const StatsRow& row) {
  const Json json = {{"BlockIO", row.block}, {"CPUPerc", row.cpu},          {"Container", row.id},
                     {"ID", row.id},         {"MemPerc", row.memory_share}, {"MemUsage", row.memory},
                     {"Name", row.name},     {"NetIO", row.network},        {"PIDs", row.processes}};
  return Text(json, -1);
}

std::map<std::string, std::string> LabelsOf(const ContainerRecord& record) { return LabelsFrom(record.options.labels); }

std::string ContainerRowJson(const Container& container, const std::string& id, const std::string& command,
                             const std::string& ports) {
  const ContainerRecord& record = container.record;
  const Json json = {{"Command", command},
                     {"CreatedAt", record.created},
                     {"ID", id},
                     {"Image", record.image},
                     {"Label", LabelsOf(record)},
                     {"Labels", LabelsText(LabelsOf(record))},
                     {"Names", record.name},
                     {"Networks", NetworksText(record.options.network)},
                     {"Ports", ports},
                     {"RunningFor", AgoOf(record.created)},
                     {"State", StatusName(container)},
                     {"Status", StatusText(container)}};
  return Text(json, -1);
}

Result<std::string> InspectContainerJson(const ContainerRoom& room, const Container& container, pid_t pid) {
  constexpr int kIndent = 4;
  const ContainerRecord& record = container.record;
  const std::string path = room.BundleOf(record.id) + "/config.json";
  VARVE_ASSIGN_OR_RETURN(const Bytes bytes, ReadWholeFile(Fs::Real(), path, kRecordBytesMax));
  VARVE_ASSIGN_OR_RETURN(const std::optional<Endpoint> endpoint, ReadEndpoint(room.DirectoryOf(record.id)));
  try {
    const Json bundle = Json::parse(AsText(bytes));
    const Json json = {
        {"Id", record.id},
        {"Created", record.created},
        {"Path", record.command.empty() ? "" : record.command.front()},
        {"Args",
         std::vector<std::string>(record.command.begin() + (record.command.empty() ? 0 : 1), record.command.end())},
        {"State", StateOf(container, pid)},
        {"Image", record.image_id},
        {"ResolvConfPath", room.BundleOf(record.id) + "/resolv.conf"},
        {"HostnamePath", room.BundleOf(record.id) + "/hostname"},
        {"HostsPath", room.BundleOf(record.id) + "/hosts"},
        {"LogPath", room.LogOf(record.id)},
        {"Name", "/" + record.name},
        {"RestartCount", container.state.restarts},
        {"Driver", "varve"},
        {"Platform", "linux"},
        {"HostConfig", HostConfigOf(record.options, bundle)},
        {"GraphDriver",
         {{"Name", "varve"},
          {"Data", {{"ChainID", "sha256:" + record.chain_id}, {"UpperDir", room.DirectoryOf(record.id) + "/upper"}}}}},
        {"Mounts", MountsOf(record.mounts)},
        {"Config", ConfigOf(record, bundle)},
        {"NetworkSettings", NetworkSettingsOf(record.options.network, endpoint)}};
    return Text(json, kIndent);
  } catch (const Json::exception& exception) {
    return Error(Code::kDataLoss, fmt::format("{}: damaged: {}", path, exception.what()));
  }
}

}  // namespace varve
