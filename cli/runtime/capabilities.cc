#include "cli/runtime/capabilities.h"

#include <fmt/core.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <string_view>

namespace varve {
namespace {

// By number, as in linux/capability.h.
constexpr std::array<std::string_view, 41> kNames = {"CAP_CHOWN",
                                                     "CAP_DAC_OVERRIDE",
                                                     "CAP_DAC_READ_SEARCH",
                                                     "CAP_FOWNER",
                                                     "CAP_FSETID",
                                                     "CAP_KILL",
                                                     "CAP_SETGID",
                                                     "CAP_SETUID",
                                                     "CAP_SETPCAP",
                                                     "CAP_LINUX_IMMUTABLE",
                                                     "CAP_NET_BIND_SERVICE",
                                                     "CAP_NET_BROADCAST",
                                                     "CAP_NET_ADMIN",
                                                     "CAP_NET_RAW",
                                                     "CAP_IPC_LOCK",
                                                     "CAP_IPC_OWNER",
                                                     "CAP_SYS_MODULE",
                                                     "CAP_SYS_RAWIO",
                                                     "CAP_SYS_CHROOT",
                                                     "CAP_SYS_PTRACE",
                                                     "CAP_SYS_PACCT",
                                                     "CAP_SYS_ADMIN",
                                                     "CAP_SYS_BOOT",
                                                     "CAP_SYS_NICE",
                                                     "CAP_SYS_RESOURCE",
                                                     "CAP_SYS_TIME",
                                                     "CAP_SYS_TTY_CONFIG",
                                                     "CAP_MKNOD",
                                                     "CAP_LEASE",
                                                     "CAP_AUDIT_WRITE",
                                                     "CAP_AUDIT_CONTROL",
                                                     "CAP_SETFCAP",
                                                     "CAP_MAC_OVERRIDE",
                                                     "CAP_MAC_ADMIN",
                                                     "CAP_SYSLOG",
                                                     "CAP_WAKE_ALARM",
                                                     "CAP_BLOCK_SUSPEND",
                                                     "CAP_AUDIT_READ",
                                                     "CAP_PERFMON",
                                                     "CAP_BPF",
                                                     "CAP_CHECKPOINT_RESTORE"};

// moby daemon/pkg/oci/caps, DefaultCapabilities.
constexpr std::array<std::string_view, 14> kDefaults = {
    "CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FSETID",           "CAP_FOWNER",
    "CAP_MKNOD",   "CAP_NET_RAW",      "CAP_SETGID",           "CAP_SETUID",
    "CAP_SETFCAP", "CAP_SETPCAP",      "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
    "CAP_KILL",    "CAP_AUDIT_WRITE"};

constexpr std::string_view kAll = "ALL";

// A capability in our own bounding set; the others cannot be given to a child.
bool Available(std::string_view name) {
  return ::prctl(PR_CAPBSET_READ, std::ranges::find(kNames, name) - kNames.begin()) == 1;
}

Result<std::set<std::string_view>> Canonical(const std::vector<std::string>& names) {
  std::set<std::string_view> canonical;
  for (const std::string& name : names) {
    std::string upper = name;
    std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    if (upper == kAll) {
      canonical.insert(kAll);
      continue;
    }
    if (!upper.starts_with("CAP_")) upper.insert(0, "CAP_");
    const auto known = std::ranges::find(kNames, upper);
    if (known == kNames.end()) return Error(Code::kInvalidArgument, fmt::format("unknown capability: {}", name));
    canonical.insert(*known);
  }
  return canonical;
}

}  // namespace

Result<std::vector<std::string>> ContainerCapabilities(const std::vector<std::string>& add,
                                                       const std::vector<std::string>& drop) {
  VARVE_ASSIGN_OR_RETURN(std::set<std::string_view> added, Canonical(add));
  VARVE_ASSIGN_OR_RETURN(const std::set<std::string_view> dropped, Canonical(drop));
  std::set<std::string> given;
  const bool all = added.erase(kAll) > 0;
  for (const std::string_view name : kNames) {
    const bool wanted = all || (std::ranges::find(kDefaults, name) != kDefaults.end() && !dropped.contains(kAll));
    if (wanted && !dropped.contains(name) && Available(name)) given.emplace(name);
  }
  for (const std::string_view name : added) {
    if (dropped.contains(name) && all) continue;
    if (!Available(name)) {
      return Error(Code::kFailedPrecondition, fmt::format("{} cannot be added: varve itself is run without it", name));
    }
    given.emplace(name);
  }
  return std::vector<std::string>(given.begin(), given.end());
}

}  // namespace varve
