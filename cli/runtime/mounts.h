#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cached/base/result.h"
#include "cli/runtime/security.h"

namespace varve {

// One entry of "mounts" in an OCI runtime configuration.
struct Mount {
  std::string destination;  // absolute, normalised
  std::string type;
  std::string source;
  std::vector<std::string> options;
};

// /proc, /dev and what else docker mounts in every container, in order; /dev/shm of that size. A privileged one may
// write to /sys and its cgroups.
std::vector<Mount> DefaultMounts(std::uint64_t shm_bytes, Privileged privileged);

// The mounts of one container: a parent before what lies below it, and `asked` instead of the `own` with the same
// destination. kInvalidArgument if two of `asked` have one destination.
Result<std::vector<Mount>> ArrangeMounts(std::vector<Mount> own, const std::vector<Mount>& asked);

}  // namespace varve
