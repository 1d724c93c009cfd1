#pragma once

#include "cached/base/fd.h"
#include "cached/base/result.h"

namespace varve {

enum class Upper { kKept, kThrownAway };  // when the container ends

// Mounts, in the calling thread's mount namespace, a writable overlay of `root` (a detached mount) on bundle/rootfs of
// the current directory, with its upper directory, new or of a mount before, in the current directory. Paths are
// relative because fsconfig(2) takes at most 255 bytes of each. An error names the option that the kernel refuses, in
// its own words. Returns a descriptor of the new root.
Result<UniqueFd> MountOverlay(const UniqueFd& root, Upper upper);

}  // namespace varve
