#pragma once

#include <functional>

#include "cached/base/result.h"

namespace varve {

// Runs `work` on a thread of its own, in a private mount namespace (a slave of ours) and with its own working
// directory; its first child process is pid 1 of a new pid namespace. Everything that `work` mounts disappears with the
// thread and that child. Needs root.
Result<int> InPrivateNamespaces(const std::function<Result<int>()>& work);

}  // namespace varve
