#pragma once

#include <cstdint>
#include <string>

#include "cached/base/result.h"
#include "cli/runtime/cgroups.h"

namespace varve {

// What a container uses at a moment, or has used up to it.
struct Usage {
  std::uint64_t cpu_ns = 0;
  std::uint64_t memory_bytes = 0;        // without page cache that could go at once
  std::uint64_t memory_limit_bytes = 0;  // its own or, without, the machine's memory
  std::uint64_t read_bytes = 0;          // from and to block devices
  std::uint64_t written_bytes = 0;
  std::uint64_t received_bytes = 0;  // by network; none in the host's network namespace
  std::uint64_t sent_bytes = 0;
  std::uint64_t processes = 0;  // and threads
};

// From the cgroups (v1, v2 or a mix) of the container `id`, and the network namespace of its first process. kNotFound
// if it has no cgroups any more. What this kernel does not count is 0.
Result<Usage> ReadUsage(const std::string& id, pid_t first, const std::string& cgroup_root = kCgroupRoot);

}  // namespace varve
