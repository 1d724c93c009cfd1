#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "cached/tree/image_index.h"
#include "cached/tree/layer_index.h"

namespace varve {

// An image and the layers that its index points into; both must outlive it.
struct IndexedImage {
  const ImageIndex& index;
  std::span<const LayerIndex> layers;
};

struct PathChange {
  enum class Kind { kAdded, kChanged, kDeleted };

  Kind kind = Kind::kAdded;
  std::string path;              // "/etc/hosts"
  std::uint64_t size_bytes = 0;  // of a regular file: in the image that has it, of a changed one in the second
};

// Calls `each` with what differs between two images below `path`, which need not be in both: parents before what is in
// them, siblings by name. Of a directory that is gone only itself is told; of one that is new everything. A file has
// changed if its type, mode, owner, device, symlink target, extended attributes or content differ: times do not count,
// since every build changes them all. Content is compared by its chunks, and not read; a file of a layer that is mapped
// once for both is known to be the same at once. Stops at the first error of `each`. kNotFound if neither image has
// `path`, kInvalidArgument if it is not a path.
Status DiffImages(const IndexedImage& from, const IndexedImage& to, std::string_view path,
                  const std::function<Status(const PathChange&)>& each);

}  // namespace varve
