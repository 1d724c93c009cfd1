#pragma once

#include <sys/types.h>

#include <functional>

#include "cached/base/result.h"

namespace varve {

enum class Namespaces {
  kMounts,              // a private mount namespace (a slave of ours)
  kMountsAndProcesses,  // and the first child process of `work` is pid 1 of a new pid namespace
};

// Puts the calling thread, and what it starts from now on, into the pid and mount namespaces of a process.
Status EnterNamespacesOf(pid_t process);

// Runs `work` on a thread of its own with new namespaces and its own working directory. Everything that `work` mounts
// disappears with the thread and the last of its child processes. Needs root.
Result<int> InPrivateNamespaces(Namespaces which, const std::function<Result<int>()>& work);

}  // namespace varve
