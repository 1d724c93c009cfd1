#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "cached/base/fs.h"
#include "cached/content/digest.h"
#include "cached/tree/entry.h"

namespace varve {

struct LayerLimits {
  std::uint32_t entries_max = 10'000'000;   // implied directories too
  std::uint32_t pool_bytes_max = 1u << 30;  // names, targets, xattrs
};

// One stretch of a file's content: all of chunk `chunk`, at `offset` of the file.
struct FileExtent {
  std::uint64_t offset;
  std::uint32_t chunk;
  std::uint32_t length;
};

// Turns the entries of one layer's tar, in tar order, into a layer index. Applies what the order decides (a later entry
// replaces an earlier one of the same path, directories merge, hard links join) and OCI's whiteout names; what depends
// on lower layers is left to the merge. Not thread-safe. An error spends the builder. Memory: at most 110
// bytes an entry and 60 a chunk, beside the names; Finish, which streams, stays within that
// (tests/tree/memory_test.cc).
class LayerIndexBuilder {
 public:
  explicit LayerIndexBuilder(const LayerLimits& limits);
  ~LayerIndexBuilder();
  LayerIndexBuilder(LayerIndexBuilder&&) noexcept;

  // The ordinal of the chunk: a new one, or that of an equal chunk that this layer has already.
  std::uint32_t AddChunk(const Digest& sha256, std::uint32_t raw_length);

  // kInvalidArgument, naming the entry, for a path that leaves the root ("..", never followed out) or goes through a
  // file, an invalid whiteout, a name over 255 bytes, or attributes that Linux does not know; kResourceExhausted for a
  // limit passed. `extents` ascend, lie inside the file and are whole chunks of AddChunk: else VARVE_CHECK.
  Status Add(const Entry& entry, std::span<const FileExtent> extents);

  // What it holds so far, roughly: it grows with every entry, implied directories too, and with every chunk.
  std::size_t size_bytes() const;

  // Writes the index, envelope and all, to `file`, which is empty. The builder is spent.
  Status Finish(File& file, const Digest& diff_id, std::uint64_t tar_bytes);

 private:
  class Tree;
  std::unique_ptr<Tree> tree_;
};

}  // namespace varve
