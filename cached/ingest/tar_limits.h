#pragma once

#include <cstddef>
#include <cstdint>

namespace varve {

// What a tar from anywhere may ask of us. Linux's own limits where it has one.
struct TarLimits {
  std::size_t path_bytes = 4096;             // PATH_MAX; of paths and link targets
  std::size_t component_bytes = 255;         // NAME_MAX; of paths
  std::size_t extension_bytes = 1 << 20;     // one PAX header, GNU long name or sparse map
  std::size_t xattr_value_bytes = 64 << 10;  // XATTR_SIZE_MAX
  std::size_t xattrs_bytes = 1 << 20;        // all names and values of one entry
  std::size_t sparse_segments = 65536;       // of one entry
  std::uint64_t entries = 10'000'000;
};

}  // namespace varve
