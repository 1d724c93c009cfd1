#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cached/base/fd.h"
#include "cached/base/result.h"

namespace varve {

// A process, so that it is never taken for a later one with its pid: pids come again, and with a reboot both come
// again, so whoever stores one stores BootId() beside it.
struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;  // since boot: field 22 of /proc/PID/stat
};

// Text that differs from boot to boot.
Result<std::string> BootId();

// kNotFound if there is none or it is a zombie.
Result<ProcessId> IdentifyProcess(pid_t pid);
bool Lives(const ProcessId& process);

// A pidfd of it. kNotFound once it has ended.
Result<UniqueFd> OpenProcess(const ProcessId& process);

// The first process of the pid namespace that a child of `parent` began. kNotFound if there is none.
Result<ProcessId> FirstProcessBelow(pid_t parent);

}  // namespace varve
