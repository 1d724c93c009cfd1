#pragma once

#include <functional>

#include "cached/base/result.h"
#include "cli/runtime/room.h"

namespace varve {

// Calls `work` while all processes of a container that runs are frozen. They go on afterwards, whatever `work` says and
// even if we are killed.
Status WhilePaused(const ContainerRoom& room, const Container& container, const std::function<Status()>& work);

}  // namespace varve
