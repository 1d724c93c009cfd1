#pragma once

#include <string>

#include "cached/base/result.h"
#include "cached/oci/platform.h"

namespace varve {

// kFailedPrecondition, with what to do, if this machine cannot execute programs of `platform`: neither by itself nor by
// an emulator that the kernel knows of (binfmt_misc). A processor that is not named, or not known to us, is let
// through.
Status CheckExecutable(const Platform& platform, const std::string& handlers = "/proc/sys/fs/binfmt_misc");

}  // namespace varve
