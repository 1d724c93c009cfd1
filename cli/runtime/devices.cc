#include "cli/runtime/devices.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <string_view>

namespace varve {
namespace {

// In /dev: mounts and sockets of other programs, and what a container has of its own.
constexpr std::array<std::string_view, 8> kNotHostDevices = {"pts",  "shm",         "fd",    "mqueue",
                                                             ".lxc", ".lxd-mounts", ".udev", "console"};

bool IsAccess(std::string_view text) {
  return !text.empty() && text.find_first_not_of("rwm") == std::string_view::npos;
}

// Nothing for what is no device.
std::optional<Device> DeviceAt(const std::string& host_path, std::string path, const std::string& access) {
  struct stat info{};
  if (::stat(host_path.c_str(), &info) != 0 || !(S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode))) return std::nullopt;
  return Device{.path = std::move(path),
                .type = S_ISCHR(info.st_mode) ? 'c' : 'b',
                .major = ::major(info.st_rdev),
                .minor = ::minor(info.st_rdev),
                .mode = info.st_mode & 07777,
                .uid = info.st_uid,
                .gid = info.st_gid,
                .access = access};
}

// Symlinks in it lead to what is listed anyway, or out of it.
Result<std::vector<Device>> DevicesBelow(const std::string& directory, const std::string& path,
                                         const std::string& access) {
  std::vector<Device> devices;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    const std::string relative = at->path().string().substr(directory.size());
    if (directory == "/dev" && std::ranges::find(kNotHostDevices, relative.substr(1)) != kNotHostDevices.end()) {
      at.disable_recursion_pending();
      continue;
    }
    if (at->is_symlink(error)) continue;
    auto device = DeviceAt(at->path(), path + relative, access);
    if (!device) continue;
    devices.push_back(std::move(*device));
    if (devices.size() > kDevicesMax)
      return Error(Code::kResourceExhausted, fmt::format("{}: more than {} devices", directory, kDevicesMax));
  }
  if (error) return ErrnoError(error.value(), directory);
  return devices;
}

}  // namespace

Result<std::vector<Device>> ParseDevice(const std::string& spec) {
  const Error invalid(Code::kInvalidArgument, fmt::format("invalid device specification: {}", spec));
  std::vector<std::string> parts = {""};
  for (const char c : spec) {
    if (c == ':') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  std::string access = "rwm";
  if (parts.size() > 1 && IsAccess(parts.back())) {
    access = parts.back();
    parts.pop_back();
  }
  if (parts.size() > 2 || parts[0].empty() || !parts.back().starts_with('/')) return invalid;
  std::error_code error;
  const std::string host_path = std::filesystem::canonical(parts[0], error).string();
  if (auto device = DeviceAt(host_path, parts.back(), access)) return std::vector<Device>{std::move(*device)};
  const Error none(Code::kNotFound, fmt::format("error gathering device information while adding custom device "
                                                "\"{}\": not a device node",
                                                parts[0]));
  if (!std::filesystem::is_directory(host_path, error)) return none;
  VARVE_ASSIGN_OR_RETURN(std::vector<Device> devices, DevicesBelow(host_path, parts.back(), access));
  if (devices.empty()) return none;
  return devices;
}

Result<std::vector<Device>> HostDevices() { return DevicesBelow("/dev", "/dev", "rwm"); }

}  // namespace varve
