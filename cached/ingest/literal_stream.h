#pragma once

#include <cstdint>
#include <functional>

#include "cached/ingest/byte_source.h"

namespace varve {

// A tar as bytes, each of which leaves once and in order: reported as literal, or taken as content. Not thread-safe.
class LiteralStream {
 public:
  LiteralStream(ByteSource& source, std::function<void(ByteSpan)> on_literal);

  // Of the byte that leaves next.
  std::uint64_t offset() const { return offset_; }

  // The next `size_bytes` (at most kPeekBytesMax), fewer only at the end. They stay in the stream; the span lives until
  // the next call.
  Result<ByteSpan> Peek(std::size_t size_bytes);
  // Reports so many bytes, which Peek showed, as literal.
  void PassLiteral(std::size_t size_bytes);
  // Reports so many bytes as literal and says how many there were: fewer only at the end.
  Result<std::uint64_t> SkipLiteral(std::uint64_t size_bytes);
  // 1 to into.size() bytes of content; 0 at the end. `into` is not empty.
  Result<std::size_t> Take(std::span<std::byte> into);

  static constexpr std::size_t kPeekBytesMax = 256 << 10;

 private:
  void Drop(std::size_t size_bytes);

  ByteSource& source_;
  const std::function<void(ByteSpan)> on_literal_;
  Bytes buffer_;
  ByteSpan ready_;  // the part of buffer_ that is in the stream
  std::uint64_t offset_ = 0;
};

}  // namespace varve
