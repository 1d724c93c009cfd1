#pragma once

#include <functional>

#include "cached/base/fd.h"
#include "cached/base/result.h"
#include "cli/runtime/room.h"

namespace varve {

enum class ShownMounts {
  kNone,     // image and upper alone
  kVolumes,  // and the volumes and directories of the host that it mounts
};

// Calls `work` with the root of a container's file system, in a mount namespace of its own, so that nothing is seen of
// it from outside and nothing stays mounted. What the kernel serves in a container (/proc, tmpfs) is not there.
// For one that runs, `image_root` is not used; of any other the caller holds the lock, and it is the detached root of
// its image.
Status WithContainerFiles(const ContainerRoom& room, const Container& container, const UniqueFd& image_root,
                          ShownMounts shown, const std::function<Status(int root)>& work);

}  // namespace varve
