#pragma once

#include <string>

#include "cached/base/result.h"

namespace varve {

// Where runc puts a container's cgroups, below the root of each hierarchy: v1, v2 or a mix.
std::string CgroupPathOf(const std::string& id);

// Whether the kernel can limit swap; one without swap, or told not to, accounts for none.
bool SwapIsAccounted();

// Removes the cgroups that a killed runc left. kFailedPrecondition while a process of the container lives.
Status RemoveCgroups(const std::string& id);

}  // namespace varve
