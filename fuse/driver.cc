#include "fuse/driver.h"

#include <sys/stat.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "fuse/attached_images.h"

namespace varve {
namespace {

constexpr std::chrono::milliseconds kForgetTimeout{1000};

}  // namespace

std::vector<ChainId> Driver::Release(std::span<const ChainId> images) {
  const std::set<std::string> attached = AttachedImages(mountpoint_);
  std::vector<ChainId> unattached;
  std::ranges::copy_if(images, std::back_inserter(unattached),
                       [&](const ChainId& image) { return !attached.contains(image.hex()); });
  for (const ChainId& image : unattached) {
    // An earlier release of an image that was used has unhashed its dentry: only a lookup brings it back under its
    // name, without which the kernel finds nothing to invalidate.
    struct stat ignored{};
    ::lstat((mountpoint_ + "/" + image.hex()).c_str(), &ignored);
    session_.InvalidateRootEntry(image.hex());
  }
  return images_.RemoveForgotten(unattached, kForgetTimeout);
}

}  // namespace varve
