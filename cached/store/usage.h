#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cached/store/store.h"

namespace varve {

struct StoreUsage {
  struct Image {
    Digest manifest;
    std::vector<std::string> names;     // canonical
    std::uint64_t raw_bytes = 0;        // uncompressed tars
    std::uint64_t exclusive_bytes = 0;  // stored bytes of chunks that no other image has
    std::uint64_t shared_bytes = 0;     // stored bytes of its other chunks
  };
  std::uint64_t layers = 0;
  std::uint64_t chunks = 0;
  std::uint64_t originals = 0;       // blobs of repositories, as files
  std::uint64_t original_bytes = 0;  // of these
  std::uint64_t raw_bytes = 0;       // sum over images of their uncompressed tars
  std::uint64_t layer_bytes = 0;     // each layer once
  std::uint64_t stored_bytes = 0;    // disk blocks of all below the root
  std::vector<Image> images;
};

enum class UsageDetail { kTotals, kPerImage };
Result<StoreUsage> UsageOf(Store& store, UsageDetail detail);

// Disk blocks, in bytes, of everything below `directory` on its file system.
Result<std::uint64_t> DiskBytes(const std::string& directory);

// What other ways of deduplication would keep of these images (docs/design/chunking.md says how each is counted); raw
// bytes, but for `stored_bytes`. Reads all of their content.
struct DedupReport {
  std::uint64_t raw_bytes = 0;
  std::uint64_t layer_bytes = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t fixed_bytes = 0;
  std::uint64_t fastcdc_bytes = 0;
  std::uint64_t stored_bytes = 0;  // of the frames that these images' chunks lie in
  std::uint32_t fixed_piece_bytes = 64 << 10;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> chunk_sizes;  // up to so many bytes: so many chunks
};
Result<DedupReport> CompareDedup(Store& store, std::span<const Digest> manifests);

// Where one file of an image comes from and lies.
struct FileExplanation {
  struct Chunk {
    Digest sha256;
    std::uint64_t offset_bytes = 0;
    std::uint32_t raw_bytes = 0;
    std::optional<store::Placement> placement;  // none: absent
    std::vector<std::string> images;            // other images that have it
  };
  std::string type;
  Digest diff_id;
  std::uint32_t layer = 0;  // 1 is the lowest; 0: only passed through
  std::uint64_t size_bytes = 0;
  std::vector<Chunk> chunks;
};
// `path` from the image's root; symlinks are not followed. kNotFound if the image has no such path.
Result<FileExplanation> ExplainFile(Store& store, const Digest& manifest, std::string_view path);

}  // namespace varve
