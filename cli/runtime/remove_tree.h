#pragma once

#include <string>

#include "cached/base/result.h"

namespace varve {

// Removes `path` and all below it; OK if it is not there. Follows no symlink. For trees that a container made: neither
// depth nor path length has a bound, so no recursion, and three descriptors at most. The first thing that cannot be
// removed ends it.
Status RemoveTree(const std::string& path);

}  // namespace varve
