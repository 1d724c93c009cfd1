#pragma once

#include <cstddef>
#include <cstdint>

#include "cached/base/bytes.h"

namespace varve {

// Chunk sizes of a store, fixed when it is created: another choice would find none of the chunks that are there.
struct ChunkerOptions {
  std::uint32_t min_bytes = 16 << 10;
  std::uint32_t average_bytes = 64 << 10;  // a power of two
  std::uint32_t max_bytes = 256 << 10;     // at most kChunkBytesMax

  bool operator==(const ChunkerOptions&) const = default;
};

// The largest chunk that any store may hold: a frame's length must fit into a locator word
// (docs/format/locator-table.md).
inline constexpr std::uint32_t kChunkBytesMax = 256 << 10;

// Cuts one file's content at places that depend on the content only (FastCDC; the essay is in chunker.cc). Immutable,
// thread-safe.
class Chunker {
 public:
  // kInvalidArgument unless 64 <= min <= average <= max <= kChunkBytesMax and average is a power of two.
  static Result<Chunker> Create(const ChunkerOptions& options);

  const ChunkerOptions& options() const { return options_; }

  // The length of the first chunk of `content`, 0 for no content. `content` must hold the rest of the file or at least
  // max_bytes.
  std::size_t Cut(ByteSpan content) const;

 private:
  explicit Chunker(const ChunkerOptions& options);

  ChunkerOptions options_;
  std::uint64_t strict_mask_;  // before average_bytes: fewer cuts
  std::uint64_t loose_mask_;   // after it: more
};

}  // namespace varve
