#pragma once

#include "cached/base/fd.h"
#include "cached/base/result.h"

namespace varve {

// Mounts, in the calling thread's mount namespace, a writable overlay of `root` (a detached mount) on rootfs/ of the
// current directory, with its upper directory beside it. Paths are relative because fsconfig(2) takes at most 255 bytes
// of each. An error names the option that the kernel refuses, in its own words. Returns a descriptor of the new root.
Result<UniqueFd> MountOverlay(const UniqueFd& root);

}  // namespace varve
