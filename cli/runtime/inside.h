#pragma once

#include <string>

#include "cached/base/fd.h"
#include "cached/base/result.h"

namespace varve {

// Opens `path` as a process whose root directory is `root` would: no symlink and no ".." leads out of it (openat2,
// RESOLVE_IN_ROOT). `flags` are open(2)'s; O_CLOEXEC is added. `root` may be the descriptor of a mount that is attached
// nowhere.
Result<UniqueFd> OpenInside(int root, const std::string& path, int flags);

}  // namespace varve
