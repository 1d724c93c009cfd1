#pragma once

#include <string>

#include "cached/base/fd.h"
#include "cached/base/result.h"
#include "cached/base/root_paths.h"
#include "cached/content/digest.h"

namespace varve {

// A mount namespace of our own, which still sees mounts that are made outside, but shows ours to nobody, and has of
// those that were there before only what leads to the root of varve and to the kernel's own. Only while the process has
// one thread.
Status EnterPrivateMountNamespace(const RootPaths& paths);

// The one FUSE mount of the node, in the private namespace. It reaches others as detached copies of single images'
// roots.
class KernelMount {
 public:
  // Makes the directory (0700) if needed. The mount answers once a session serves TakeDevice().
  static Result<KernelMount> Create(std::string directory);
  KernelMount(KernelMount&& other) noexcept;
  // Unmounts, and breaks the connection off even if others still hold copies: whoever serves it comes to an end.
  ~KernelMount();

  UniqueFd TakeDevice() { return std::move(device_); }
  // How far the kernel reads ahead, and so how large its requests become. Only once the mount is served.
  Status SetReadAhead(unsigned kib) const;
  // The image's root as a detached mount. kNotFound if the mount does not show the image.
  Result<UniqueFd> CloneImage(const ChainId& chain_id) const;

 private:
  KernelMount(std::string directory, UniqueFd device) : directory_(std::move(directory)), device_(std::move(device)) {}

  std::string directory_;  // empty: moved from
  UniqueFd device_;
};

}  // namespace varve
