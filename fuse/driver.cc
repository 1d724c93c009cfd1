#include "fuse/driver.h"

namespace varve {
namespace {

constexpr std::chrono::milliseconds kForgetTimeout{1000};

}  // namespace

std::vector<ChainId> Driver::Release(std::span<const ChainId> images) {
  for (const ChainId& image : images) session_.InvalidateRootEntry(image.hex());
  return images_.RemoveForgotten(images, kForgetTimeout);
}

}  // namespace varve
