#pragma once

#include <fcntl.h>

#include <string>
#include <string_view>

#include "cached/base/fd.h"
#include "cached/base/result.h"

// How what the command line keeps on disk is named, and locked.

namespace varve {

inline constexpr std::size_t kIdDigits = 64;
inline constexpr std::size_t kShortIdDigits = 12;  // as they are shown

std::string NewId();  // kIdDigits hex digits, at random

// docker's rule, so that a name is never mistaken for an option or a path. kInvalidArgument; `what` has the name.
Status CheckName(std::string_view what, std::string_view name);

// Locks `path` by flock(2) until the result is destroyed; creates it if `flags` (open's) say so. kUnavailable if
// `operation` has LOCK_NB and somebody else has it.
Result<UniqueFd> LockFile(const std::string& path, int operation, int flags = O_CREAT);

}  // namespace varve
