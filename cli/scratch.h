#pragma once

#include <string>

#include "cached/base/fd.h"
#include "cached/base/result.h"
#include "cached/base/root_paths.h"
#include "cached/content/digest.h"
#include "cli/attach.h"

namespace varve {

// The directory of a writable mount below the root of varve:
//
//   image    the chain ID, in hex: what to mount again
//   lower    where the image is attached while the overlay is made
//   upper    what is written; a symlink to the caller's directory if one was named, and then
//   work     is a symlink to a directory beside that one, since overlayfs wants both on one file system
//
// Makes one; `root` is the image's detached root. With an empty `upper` what is written stays in it.
Result<std::string> MakeScratch(const RootPaths& paths, const ChainId& chain_id, const UniqueFd& root,
                                const std::string& upper);

// Mounts its overlay at `directory`, over the image whose detached root is `root`.
Status MountScratch(const std::string& scratch, const UniqueFd& root, const std::string& directory,
                    SetuidFiles setuid_files);

// Once nothing is mounted of it. What was written to a caller's own directory stays; its work directory is of no use to
// anybody.
Status RemoveScratch(const std::string& scratch);

// The one that an overlay with these options, as mountinfo shows them, was made of; empty if it is none of ours.
std::string ScratchOf(const std::string& super_options, const RootPaths& paths);

}  // namespace varve
