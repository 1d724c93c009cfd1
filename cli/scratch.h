#pragma once

#include <string>

#include "cached/base/fd.h"
#include "cached/base/result.h"
#include "cached/base/root_paths.h"
#include "cached/content/digest.h"
#include "cli/attach.h"

namespace varve {

// The directory of a writable mount below the root of varve, $VARVE_ROOT/mounts/XXXXXX:
//
//   lower    where the image is attached while the overlay is made
//   upper    what is written; a symlink to the caller's directory if one was named, and then
//   work     is a symlink to DIR.work beside that one, since overlayfs wants both on one file system
//     overlay       the work directory of the overlay
//     probe, none   work and lower directories of the overlay that asks whether that one is in use
//   image    the chain ID, in hex: what to mount again. Written last: without it nothing was ever mounted of this
//
// A mount can end without a command of ours (umount, the end of its mount namespace), so what is not in use any more is
// found by whoever comes next. Which that is, the kernel knows: it marks the upper and work directories of an overlay
// while that lives, in whatever mount namespace or, detached, in none, and with index=on it refuses to make another
// overlay on one that is marked.

// Held while one is made and mounted, or swept; released with the descriptor.
Result<UniqueFd> LockScratches(const RootPaths& paths);

// Makes one; needs the lock. `root` is the image's detached root. With an empty `upper` what is written stays in the
// scratch. kFailedPrecondition if another mount writes to `upper`.
Result<std::string> MakeScratch(const RootPaths& paths, const ChainId& chain_id, const UniqueFd& root,
                                const std::string& upper);

// Mounts its overlay at `directory`, over the image whose detached root is `root`.
Status MountScratch(const std::string& scratch, const UniqueFd& root, const std::string& directory,
                    SetuidFiles setuid_files);

// Throws away those that are not in use anywhere. What was written to a caller's own directory stays. One that cannot
// be removed, or of which that cannot be told, is left with a line in the log.
Status SweepScratches(const RootPaths& paths);

// Takes one that is not mounted any more out of the way of SweepScratches. Returns where what was written is now.
std::string KeepScratch(const std::string& scratch);

// The one that an overlay with these options, as mountinfo shows them, was made of; empty if it is none of ours.
std::string ScratchOf(const std::string& super_options, const RootPaths& paths);

}  // namespace varve
