#pragma once

#include <string>
#include <vector>

#include "cached/base/fd.h"
#include "cached/base/result.h"
#include "cached/base/root_paths.h"

namespace varve {

enum class SetuidFiles { kIgnored, kHonoured };

// Attaches the detached root of an image at `directory`, read-only and nodev.
Status AttachImage(const UniqueFd& root, const std::string& directory, SetuidFiles setuid_files);

// Mounts a writable view of `root` at `directory`. What is written goes to `upper` and stays there; with an empty
// `upper` it goes below the root of varve and is thrown away by Unmount.
Status AttachWritable(const RootPaths& paths, UniqueFd root, const std::string& directory, const std::string& upper,
                      SetuidFiles setuid_files);

struct UserMount {
  std::string directory;
  std::string chain_id;  // hex; empty for a writable one
  std::string scratch;   // of a writable one: its directory below the root of varve
};
// What this root of varve has mounted in the caller's mount namespace, in the order of mounting.
Result<std::vector<UserMount>> ListMounts(const RootPaths& paths);

// kNotFound if varve has nothing mounted there.
enum class Busy { kRefused, kDetached };
Status Unmount(const RootPaths& paths, const std::string& directory, Busy busy);

}  // namespace varve
