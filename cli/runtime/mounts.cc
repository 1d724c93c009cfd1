#include "cli/runtime/mounts.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "cached/base/fs.h"

namespace varve {
namespace {

constexpr std::array<std::string_view, 6> kTmpfsValues = {"size=", "mode=", "uid=", "gid=", "nr_inodes=", "nr_blocks="};
constexpr std::array<std::string_view, 3> kTmpfsRestrictions = {"noexec", "nosuid", "nodev"};

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

Error Invalid(std::string_view what, std::string_view spec, std::string_view why) {
  return Error(Code::kInvalidArgument, fmt::format("{} \"{}\": {}", what, spec, why));
}

std::string Normal(const std::string& path) {
  std::string normal = std::filesystem::path(path).lexically_normal().string();
  if (normal.size() > 1 && normal.ends_with('/')) normal.pop_back();
  return normal;
}

Result<std::string> Destination(std::string_view what, std::string_view spec, const std::string& path) {
  const std::string normal = Normal(path);
  if (!normal.starts_with('/')) return Invalid(what, spec, "the path in the container must be absolute");
  if (normal == "/") return Invalid(what, spec, "the path in the container cannot be '/'");
  return normal;
}

Result<std::vector<std::string>> VolumeOptions(std::string_view spec, std::string_view text) {
  std::string access = "rw", propagation = "rprivate";
  for (const std::string& option : Split(text, ',')) {
    if (option == "ro" || option == "rw") {
      access = option;
    } else if (option == "private" || option == "rprivate" || option == "slave" || option == "rslave") {
      propagation = option;
    } else if (option == "shared" || option == "rshared") {
      return Error(Code::kUnimplemented,
                   fmt::format("volume \"{}\": a container's mounts never reach the host yet: use rslave", spec));
    } else if (option != "z" && option != "Z") {
      return Invalid("volume", spec, fmt::format("unknown option '{}'", option));
    }
  }
  return std::vector<std::string>{"rbind", propagation, access};
}

std::ptrdiff_t DepthOf(const Mount& mount) { return std::ranges::count(mount.destination, '/'); }

}  // namespace

std::vector<Mount> DefaultMounts() {
  return {{"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}},
          {"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
          {"/dev/pts", "devpts", "devpts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
          {"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}},
          {"/sys/fs/cgroup", "cgroup", "cgroup", {"ro", "nosuid", "noexec", "nodev"}},
          {"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
          {"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}}};
}

Result<Mount> ParseVolume(std::string_view spec) {
  const std::vector<std::string> parts = Split(spec, ':');
  if (parts.size() > 3) return Invalid("volume", spec, "expected HOST:CONTAINER[:OPTIONS]");
  if (parts.size() == 1 || !parts[0].starts_with('/')) {
    return Error(
        Code::kUnimplemented,
        fmt::format("volume \"{}\": only HOST:CONTAINER[:OPTIONS] with an absolute host path is supported yet", spec));
  }
  VARVE_ASSIGN_OR_RETURN(std::string destination, Destination("volume", spec, parts[1]));
  VARVE_ASSIGN_OR_RETURN(std::vector<std::string> options, VolumeOptions(spec, parts.size() == 3 ? parts[2] : "rw"));
  return Mount{std::move(destination), "bind", Normal(parts[0]), std::move(options)};
}

Result<Mount> ParseTmpfs(std::string_view spec) {
  const std::size_t colon = spec.find(':');
  VARVE_ASSIGN_OR_RETURN(std::string destination, Destination("tmpfs", spec, std::string(spec.substr(0, colon))));
  std::set<std::string> restrictions(kTmpfsRestrictions.begin(), kTmpfsRestrictions.end());
  std::vector<std::string> options;
  if (colon != std::string_view::npos) {
    for (const std::string& option : Split(spec.substr(colon + 1), ',')) {
      if (restrictions.erase("no" + option) > 0) continue;
      if (std::ranges::find(kTmpfsRestrictions, option) != kTmpfsRestrictions.end()) {
        restrictions.insert(option);
      } else if (option == "ro" || option == "rw" ||
                 std::ranges::any_of(kTmpfsValues, [&](std::string_view key) { return option.starts_with(key); })) {
        options.push_back(option);
      } else {
        return Invalid("tmpfs", spec, fmt::format("unknown option '{}'", option));
      }
    }
  }
  options.insert(options.end(), restrictions.begin(), restrictions.end());
  return Mount{std::move(destination), "tmpfs", "tmpfs", std::move(options)};
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

Status MakeMissingSources(const std::vector<Mount>& mounts) {
  for (const Mount& mount : mounts) {
    struct stat info{};
    if (mount.type != "bind" || ::stat(mount.source.c_str(), &info) == 0) continue;
    if (errno != ENOENT) return ErrnoError(errno, fmt::format("volume {}", mount.source));
    VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(mount.source).In("volume"));
  }
  return Ok();
}

}  // namespace varve
