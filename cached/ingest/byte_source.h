#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "cached/base/bytes.h"
#include "cached/base/result.h"

namespace varve {

// Where the bytes of a layer come from: a download, a file, a decompressor. One reader; no seeking.
class ByteSource {
 public:
  virtual ~ByteSource() = default;

  // Reads 1 to into.size() bytes and says how many; 0 at the end, again and again. `into` is not empty. After an error
  // the source is spent.
  virtual Result<std::size_t> Read(std::span<std::byte> into) = 0;
};

// Bytes that are already in memory, borrowed. `piece_bytes` bounds what one Read gives, as a socket would.
class MemorySource : public ByteSource {
 public:
  explicit MemorySource(ByteSpan bytes, std::size_t piece_bytes = SIZE_MAX) : rest_(bytes), piece_bytes_(piece_bytes) {}

  Result<std::size_t> Read(std::span<std::byte> into) override {
    const std::size_t size = std::min({into.size(), rest_.size(), piece_bytes_});
    std::copy_n(rest_.begin(), size, into.begin());
    rest_ = rest_.subspan(size);
    return size;
  }

 private:
  ByteSpan rest_;
  std::size_t piece_bytes_;
};

}  // namespace varve
