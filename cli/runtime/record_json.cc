#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "cli/runtime/record.h"

namespace nlohmann {

template <class T>
struct adl_serializer<std::optional<T>> {
  static void to_json(json& json, const std::optional<T>& value) {
    if (value) json = *value;
  }
  static void from_json(const json& json, std::optional<T>& value) {
    if (!json.is_null()) value = json.get<T>();
  }
};

}  // namespace nlohmann

namespace varve {

// nlohmann finds these by their types, so they cannot stand in the unnamed namespace. The first of each table is also
// what an unknown text becomes.
NLOHMANN_JSON_SERIALIZE_ENUM(RootAccess, {{RootAccess::kReadWrite, "rw"}, {RootAccess::kReadOnly, "ro"}})
NLOHMANN_JSON_SERIALIZE_ENUM(Stdin, {{Stdin::kEmpty, "empty"}, {Stdin::kPassed, "passed"}, {Stdin::kOpen, "open"}})
NLOHMANN_JSON_SERIALIZE_ENUM(Terminal, {{Terminal::kNone, "none"}, {Terminal::kAllocated, "allocated"}})
NLOHMANN_JSON_SERIALIZE_ENUM(FirstProcess, {{FirstProcess::kCommand, "command"}, {FirstProcess::kInit, "init"}})
NLOHMANN_JSON_SERIALIZE_ENUM(Privileged, {{Privileged::kNo, "no"}, {Privileged::kYes, "yes"}})
NLOHMANN_JSON_SERIALIZE_ENUM(AtEnd, {{AtEnd::kKept, "kept"}, {AtEnd::kRemoved, "removed"}})
NLOHMANN_JSON_SERIALIZE_ENUM(ContainerStatus, {{ContainerStatus::kCreated, "created"},
                                               {ContainerStatus::kRunning, "running"},
                                               {ContainerStatus::kRestarting, "restarting"},
                                               {ContainerStatus::kExited, "exited"}})
NLOHMANN_JSON_SERIALIZE_ENUM(Keeper, {{Keeper::kNobody, "nobody"}, {Keeper::kRun, "run"}, {Keeper::kConmon, "conmon"}})
NLOHMANN_JSON_SERIALIZE_ENUM(Wish, {{Wish::kNone, "none"}, {Wish::kStop, "stop"}, {Wish::kRestart, "restart"}})
NLOHMANN_JSON_SERIALIZE_ENUM(MountKind, {{MountKind::kVolume, "volume"},
                                         {MountKind::kBind, "bind"},
                                         {MountKind::kTmpfs, "tmpfs"},
                                         {MountKind::kImage, "image"}})
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(StorageOptions, volumes, mounts, tmpfs, volumes_from)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(ContainerMount, kind, name, chain_id, source, destination, mode,
                                                propagation, options, labels, read_only, recursive, make_source,
                                                anonymous, copy)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(RestartPolicy, on_failure, most_times)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(LimitOptions, memory, memory_swap, cpus, cpuset_cpus, pids_limit,
                                                shm_size, ulimits)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(SecurityOptions, privileged, options, devices, groups)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(NetworkOptions, network, publish, expose, publish_all, dns, dns_search,
                                                dns_options, add_hosts)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(RunOptions, name, hostname, user, workdir, entrypoint, args, env,
                                                env_files, storage, cap_add, cap_drop, labels, network, root_access,
                                                standard_input, terminal, at_end, restart, limits, security,
                                                first_process, stop_signal, stop_timeout_seconds)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(ProcessId, pid, start_ticks)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ContainerRecord, id, name, image, image_id, chain_id, created, command, stop_signal,
                                   options, mounts)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ContainerState, status, keeper, keeper_process, process, boot, started, finished,
                                   exit_code, error, out_of_memory, wish, restarts)

namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;

template <class T>
std::string ToText(const T& value) {
  Json json = value;
  json["version"] = kVersion;
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

template <class T>
Result<T> FromText(ByteSpan text) {
  try {
    const Json json = Json::parse(AsText(text));
    if (const int version = json.at("version").get<int>(); version > kVersion)
      return Error(Code::kFailedPrecondition, fmt::format("version {} is of a newer varve", version));
    return json.get<T>();
  } catch (const Json::exception& exception) {
    return Error(Code::kDataLoss, fmt::format("damaged: {}", exception.what()));
  }
}

}  // namespace

std::string RecordJson(const ContainerRecord& record) { return ToText(record); }
std::string StateJson(const ContainerState& state) { return ToText(state); }
Result<ContainerRecord> ParseRecord(ByteSpan json) { return FromText<ContainerRecord>(json); }
Result<ContainerState> ParseState(ByteSpan json) { return FromText<ContainerState>(json); }

std::string_view MountKindName(MountKind kind) {
  switch (kind) {
    case MountKind::kVolume:
      return "volume";
    case MountKind::kBind:
      return "bind";
    case MountKind::kTmpfs:
      return "tmpfs";
    case MountKind::kImage:
      return "image";
  }
  return "unknown";
}

std::string_view StatusName(ContainerStatus status) {
  switch (status) {
    case ContainerStatus::kCreated:
      return "created";
    case ContainerStatus::kRunning:
      return "running";
    case ContainerStatus::kRestarting:
      return "restarting";
    case ContainerStatus::kExited:
      return "exited";
  }
  return "unknown";
}

}  // namespace varve
