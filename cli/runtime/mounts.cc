#include "cli/runtime/mounts.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace varve {
namespace {

std::ptrdiff_t DepthOf(const Mount& mount) { return std::ranges::count(mount.destination, '/'); }

}  // namespace

std::vector<Mount> DefaultMounts(std::uint64_t shm_bytes, Privileged privileged) {
  const std::string access = privileged == Privileged::kYes ? "rw" : "ro";
  return {{"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}},
          {"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
          {"/dev/pts", "devpts", "devpts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
          {"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", access}},
          {"/sys/fs/cgroup", "cgroup", "cgroup", {access, "nosuid", "noexec", "nodev"}},
          {"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
          {"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", fmt::format("size={}", shm_bytes)}}};
}

Result<std::vector<Mount>> ArrangeMounts(std::vector<Mount> own, const std::vector<Mount>& asked) {
  std::set<std::string> destinations;
  for (const Mount& mount : asked) {
    if (!destinations.insert(mount.destination).second) {
      return Error(Code::kInvalidArgument, fmt::format("duplicate mount point: {}", mount.destination));
    }
  }
  std::erase_if(own, [&](const Mount& mount) { return destinations.contains(mount.destination); });
  std::multimap<std::ptrdiff_t, Mount> by_depth;  // in order of insertion where depths are equal
  for (Mount& mount : own) by_depth.emplace(DepthOf(mount), std::move(mount));
  for (const Mount& mount : asked) by_depth.emplace(DepthOf(mount), mount);
  std::vector<Mount> arranged;
  arranged.reserve(by_depth.size());
  for (auto& [depth, mount] : by_depth) arranged.push_back(std::move(mount));
  return arranged;
}

}  // namespace varve
