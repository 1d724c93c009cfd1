#pragma once

#include <string>
#include <vector>

#include "cached/base/result.h"

namespace varve {

// The capabilities of a container's root, sorted: docker's fourteen without `drop` and with `add`. Names with or
// without "CAP_", in any case; "ALL" in `add` is every capability that we may give, in `drop` all of the fourteen. Of
// the fourteen, those that we lack ourselves are left out; kFailedPrecondition if `add` names such a one,
// kInvalidArgument for an unknown name.
Result<std::vector<std::string>> ContainerCapabilities(const std::vector<std::string>& add,
                                                       const std::vector<std::string>& drop);

}  // namespace varve
