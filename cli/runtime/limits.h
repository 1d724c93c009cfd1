#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cached/base/result.h"
#include "cli/runtime/rlimits.h"

namespace varve {

// How much a container may use, as it was asked for, with docker's syntax. Empty: not given.
struct LimitOptions {
  std::string memory = {};                      // ParseSize
  std::string memory_swap = {};                 // of memory and swap together; "-1": any
  std::string cpus = {};                        // of all together: "1.5"
  std::string cpuset_cpus = {};                 // "0-2,4"
  std::optional<std::int64_t> pids_limit = {};  // 0 or less: any
  std::string shm_size = {};                    // of /dev/shm
  std::vector<std::string> ulimits = {};        // rlimits.h
};

inline constexpr std::uint64_t kCpuPeriodUs = 100'000;
inline constexpr std::uint64_t kShmBytes = 64 << 20;

// The same as the kernel is told; what is absent is not limited. runc writes it as cgroups v1 or v2 want it.
struct Limits {
  std::optional<std::uint64_t> memory_bytes = {};
  std::optional<std::int64_t> memory_and_swap_bytes = {};  // -1: any
  std::optional<std::uint64_t> cpu_quota_us = {};          // of each kCpuPeriodUs, of all CPUs together
  std::string cpuset = {};                                 // empty: all
  std::optional<std::int64_t> processes = {};
  std::uint64_t shm_bytes = kShmBytes;
  std::vector<Rlimit> rlimits = {};
};

// "67108864", "64m", "1.5GiB": docker's sizes, with powers of 1024. kInvalidArgument.
Result<std::uint64_t> ParseSize(const std::string& text);

// kInvalidArgument, in docker's words, for what is too little or more than this machine has. Where memory is limited
// and nothing is said of swap, there is as much of it, if the kernel accounts for it.
Result<Limits> ParseLimits(const LimitOptions& options);

}  // namespace varve
