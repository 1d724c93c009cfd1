#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cached/store/store.h"
#include "cached/tree/image_diff.h"

namespace varve {

// What the indexes say of stored images, without reading any content. kNotFound if an image is not stored. The images
// are leased meanwhile.

// DiffImages of the stored images `from` and `to`, by their manifests.
Status DiffStoredImages(Store& store, const Digest& from, const Digest& to, std::string_view path,
                        const std::function<Status(const PathChange&)>& each);

// What a layer of an image adds to those below.
struct LayerContents {
  struct File {
    std::string path;
    std::uint64_t size_bytes = 0;
  };
  Digest diff_id;
  std::uint64_t tar_bytes = 0;
  std::uint64_t files = 0;  // regular ones, each hard link once
  std::uint64_t file_bytes = 0;
  std::uint64_t whiteouts = 0;  // names of lower layers that it hides, opaque directories as one
  std::vector<File> biggest;    // by size, then path
};
// Lowest first; of each layer its `most` biggest files.
Result<std::vector<LayerContents>> ContentsOf(Store& store, const Digest& manifest, std::size_t most);

}  // namespace varve
