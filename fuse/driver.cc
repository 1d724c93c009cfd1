#include "fuse/driver.h"

#include <sys/stat.h>

namespace varve {
namespace {

constexpr std::chrono::milliseconds kForgetTimeout{1000};

}  // namespace

std::vector<ChainId> Driver::Release(std::span<const ChainId> images) {
  for (const ChainId& image : images) {
    // An earlier release of an image that was used has unhashed its dentry: only a lookup brings it back under its
    // name, without which the kernel finds nothing to invalidate.
    struct stat ignored{};
    ::lstat((mountpoint_ + "/" + image.hex()).c_str(), &ignored);
    session_.InvalidateRootEntry(image.hex());
  }
  return images_.RemoveForgotten(images, kForgetTimeout);
}

}  // namespace varve
