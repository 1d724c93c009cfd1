#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cached/base/fd.h"
#include "cached/base/result.h"
#include "cached/base/root_paths.h"
#include "cached/content/digest.h"
#include "cli/attach.h"

namespace varve {

// kInvalidArgument if `directory` is none, or lies inside the root of varve, where a mount would hide or hold up what
// is kept there.
Status CheckMountPoint(const RootPaths& paths, const std::string& directory);

// Mounts a writable view of an image, whose detached root is `root`, at `directory`. What is written goes to `upper`
// and stays there; with an empty `upper` it goes below the root of varve and is thrown away once it is unmounted
// (cli/scratch.h).
Status AttachWritable(const RootPaths& paths, const ChainId& chain_id, const UniqueFd& root,
                      const std::string& directory, const std::string& upper, SetuidFiles setuid_files);

struct UserMount {
  std::string directory;
  std::string chain_id;  // hex; empty if a writable one does not say it any more
  std::string scratch;   // of a writable one: its directory below the root of varve
  SetuidFiles setuid_files = SetuidFiles::kIgnored;
};
// What this root of varve has mounted in the caller's mount namespace, in the order of mounting.
Result<std::vector<UserMount>> ListMounts(const RootPaths& paths);

// kNotFound if varve has nothing mounted there, or not on top.
enum class Busy { kRefused, kDetached };
Status Unmount(const RootPaths& paths, const std::string& directory, Busy busy);

// Detaches what ListMounts gives as far as the varve-fuse behind it has died, and mounts it anew: the same image at the
// same place in the same way, a writable one with all that was written to it. What cannot be had anew, or what others
// stand in the way of, is left as it is. A line on standard error for each.
using ImageRootSource = std::function<Result<UniqueFd>(const ChainId&)>;
Status ReviveMounts(const RootPaths& paths, const ImageRootSource& image_root);

}  // namespace varve
