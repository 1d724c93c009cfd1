#include <fmt/core.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cli/runtime/cgroups.h"
#include "cli/runtime/spec.h"

namespace varve {
namespace {

using Json = nlohmann::json;

Json ProcessOf(const ContainerSpec& spec) {
  Json capabilities = {{"bounding", spec.capabilities}};
  if (spec.user.uid == 0) {
    capabilities["permitted"] = spec.capabilities;
    capabilities["effective"] = spec.capabilities;
  }
  Json process = {{"terminal", spec.terminal == Terminal::kAllocated},
                  {"args", spec.args},
                  {"env", spec.env},
                  {"cwd", spec.cwd},
                  {"user", {{"uid", spec.user.uid}, {"gid", spec.user.gid}, {"additionalGids", spec.user.groups}}},
                  {"capabilities", capabilities},
                  {"noNewPrivileges", spec.security.privileges == Privileges::kNotGainable}};
  if (spec.first_process == FirstProcess::kInit) {
    process["args"] = Json::array({kInitInside, "--"});
    for (const std::string& argument : spec.args) process["args"].push_back(argument);
  }
  for (const Rlimit& limit : spec.limits.rlimits)
    process["rlimits"].push_back({{"type", limit.type}, {"soft", limit.soft}, {"hard", limit.hard}});
  return process;
}

Json MountsOf(const std::vector<Mount>& mounts) {
  Json list = Json::array();
  for (const Mount& mount : mounts) {
    list.push_back({{"destination", mount.destination},
                    {"type", mount.type},
                    {"source", mount.source},
                    {"options", mount.options}});
  }
  return list;
}

Json Namespaces(const ContainerSpec& spec) {
  Json list = Json::array();
  for (const char* type : {"mount", "uts", "pid", "ipc"}) list.push_back({{"type", type}});
  if (spec.network != NetworkKind::kHost) list.push_back({{"type", "network"}});
  if (!spec.network_namespace.empty()) list.back()["path"] = spec.network_namespace;
  struct statfs info{};
  if (::statfs("/sys/fs/cgroup", &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC)
    list.push_back({{"type", "cgroup"}});
  return list;
}

// docker's, in a network namespace of its own: ports below 1024 are for everybody, and so is ping.
Json Sysctls(const ContainerSpec& spec) {
  if (spec.network != NetworkKind::kNone && spec.network != NetworkKind::kNamed) return Json::object();
  return {{"net.ipv4.ip_unprivileged_port_start", "0"}, {"net.ipv4.ping_group_range", "0 2147483647"}};
}

// Everything is denied but null, full, zero, random, urandom, tty and console, and what was asked for; runc adds
// /dev/pts and mknod.
Json DeviceRules(const ContainerSpec& spec) {
  if (spec.privileged == Privileged::kYes) return Json::array({Json{{"allow", true}, {"access", "rwm"}}});
  const auto device = [](bool allow, int major, int minor) {
    return Json{{"allow", allow}, {"type", "c"}, {"major", major}, {"minor", minor}, {"access", "rwm"}};
  };
  constexpr int kMemory = 1, kTerminal = 5, kMisc = 10, kFuse = 229;
  Json list = Json::array({Json{{"allow", false}, {"access", "rwm"}}});
  for (const int minor : {3, 5, 7, 8, 9}) list.push_back(device(true, kMemory, minor));
  for (const int minor : {0, 1}) list.push_back(device(true, kTerminal, minor));
  list.push_back(device(false, kMisc, kFuse));
  for (const Device& given : spec.devices) {
    list.push_back({{"allow", true},
                    {"type", std::string(1, given.type)},
                    {"major", given.major},
                    {"minor", given.minor},
                    {"access", given.access}});
  }
  return list;
}

Json DeviceNodes(const std::vector<Device>& devices) {
  Json list = Json::array();
  for (const Device& device : devices) {
    list.push_back({{"path", device.path},
                    {"type", std::string(1, device.type)},
                    {"major", device.major},
                    {"minor", device.minor},
                    {"fileMode", device.mode},
                    {"uid", device.uid},
                    {"gid", device.gid}});
  }
  return list;
}

Json ResourcesOf(const ContainerSpec& spec) {
  const Limits& limits = spec.limits;
  Json resources = {{"devices", DeviceRules(spec)}};
  if (limits.memory_bytes) resources["memory"]["limit"] = *limits.memory_bytes;
  if (limits.memory_and_swap_bytes) resources["memory"]["swap"] = *limits.memory_and_swap_bytes;
  if (limits.cpu_quota_us) resources["cpu"] = {{"quota", *limits.cpu_quota_us}, {"period", kCpuPeriodUs}};
  if (!limits.cpuset.empty()) resources["cpu"]["cpus"] = limits.cpuset;
  if (limits.processes) resources["pids"] = {{"limit", *limits.processes}};
  return resources;
}

Json MaskedPaths() {
  Json list = {"/proc/acpi",
               "/proc/asound",
               "/proc/interrupts",
               "/proc/kcore",
               "/proc/keys",
               "/proc/latency_stats",
               "/proc/sched_debug",
               "/proc/scsi",
               "/proc/timer_list",
               "/proc/timer_stats",
               "/sys/devices/virtual/powercap",
               "/sys/firmware"};
  for (long cpu = 0; cpu < ::sysconf(_SC_NPROCESSORS_CONF); ++cpu) {
    const std::string path = fmt::format("/sys/devices/system/cpu/cpu{}/thermal_throttle", cpu);
    if (::access(path.c_str(), F_OK) == 0) list.push_back(path);
  }
  return list;
}

Json LinuxOf(const ContainerSpec& spec, const std::string& id) {
  Json part = {{"cgroupsPath", CgroupPathOf(id)},
               {"namespaces", Namespaces(spec)},
               {"devices", DeviceNodes(spec.devices)},
               {"sysctl", Sysctls(spec)},
               {"resources", ResourcesOf(spec)}};
  if (spec.security.system_paths == SystemPaths::kProtected) {
    part["maskedPaths"] = MaskedPaths();
    part["readonlyPaths"] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
  }
  if (!spec.security.seccomp.empty()) part["seccomp"] = Json::parse(spec.security.seccomp);
  return part;
}

Json ConfigOf(const ContainerSpec& spec, const std::string& id) {
  Json annotations = Json::object();
  for (const auto& [key, value] : spec.labels) annotations[key] = value;
  return {{"ociVersion", "1.0.2"},
          {"process", ProcessOf(spec)},
          {"root", {{"path", "rootfs"}, {"readonly", spec.root_access == RootAccess::kReadOnly}}},
          {"hostname", spec.hostname},
          {"mounts", MountsOf(spec.mounts)},
          {"annotations", annotations},
          {"linux", LinuxOf(spec, id)}};
}

}  // namespace

Result<std::string> OciRuntimeConfig(const ContainerSpec& spec, const std::string& id) {
  try {
    return ConfigOf(spec, id).dump();
  } catch (const Json::exception& exception) {
    return Error(Code::kInvalidArgument,
                 fmt::format("an argument, variable, path or label cannot be passed on: {}", exception.what()));
  }
}

}  // namespace varve
