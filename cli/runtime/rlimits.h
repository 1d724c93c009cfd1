#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cached/base/result.h"

namespace varve {

struct Rlimit {
  std::string type;  // "RLIMIT_NOFILE"
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;  // RLIM_INFINITY: any

  bool operator==(const Rlimit&) const = default;
};

// "NAME=SOFT[:HARD]" each, docker's --ulimit: names of getrlimit(2) without RLIMIT_ in lower case, -1 for no limit;
// HARD is SOFT unless given, and the last of a name counts. kInvalidArgument for what is not that; kFailedPrecondition
// for more than our own hard limit, where we may not raise it (that takes CAP_SYS_RESOURCE).
Result<std::vector<Rlimit>> ParseUlimits(const std::vector<std::string>& ulimits);

}  // namespace varve
