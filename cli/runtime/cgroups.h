#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "cached/base/result.h"

namespace varve {

inline constexpr const char* kCgroupRoot = "/sys/fs/cgroup";

// Where runc puts a container's cgroups, below the root of each hierarchy: v1, v2 or a mix.
std::string CgroupPathOf(const std::string& id);

// Whether there are cgroups v2 alone, with all controllers in one hierarchy.
bool IsUnified(const std::string& root = kCgroupRoot);

// Whether the container's processes are frozen.
bool IsFrozen(const std::string& id, const std::string& root = kCgroupRoot);

// The pids, as we see them, of the container's processes, those in cgroups that it made among them.
std::vector<pid_t> ProcessesIn(const std::string& id, const std::string& root = kCgroupRoot);

// Kills those processes and waits for their end. kDeadlineExceeded if that takes longer than kEndLimit.
Status EndProcessesIn(const std::string& id, const std::string& root = kCgroupRoot);
inline constexpr std::chrono::seconds kEndLimit{2};

// Whether the kernel can limit swap; one without swap, or told not to, accounts for none.
bool SwapIsAccounted();

// Removes the cgroups that a killed runc left. kFailedPrecondition while a process of the container lives.
Status RemoveCgroups(const std::string& id);

}  // namespace varve
