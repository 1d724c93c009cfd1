#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cached/base/result.h"

namespace varve {

// A device node of a container.
struct Device {
  std::string path;  // inside
  char type = 'c';   // or 'b'
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::uint32_t mode = 0666;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string access = "rwm";  // what the devices cgroup allows: read, write, mknod
};

inline constexpr std::size_t kDevicesMax = 10'000;

// "HOST[:CONTAINER][:ACCESS]", docker's --device: a node, a symlink to one, or a directory with nodes in it, at the
// same path unless CONTAINER is given, with access "rwm" unless given. kInvalidArgument, kNotFound; kResourceExhausted
// for more than kDevicesMax.
Result<std::vector<Device>> ParseDevice(const std::string& spec);

// All of this machine, as --privileged gives them: what is in /dev, without what a container has of its own.
Result<std::vector<Device>> HostDevices();

}  // namespace varve
