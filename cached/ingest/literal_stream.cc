#include "cached/ingest/literal_stream.h"

#include <algorithm>

namespace varve {

LiteralStream::LiteralStream(ByteSource& source, std::function<void(ByteSpan)> on_literal)
    : source_(source), on_literal_(std::move(on_literal)), buffer_(kPeekBytesMax) {}

Result<ByteSpan> LiteralStream::Peek(std::size_t size_bytes) {
  VARVE_CHECK(size_bytes <= kPeekBytesMax);
  if (ready_.size() < size_bytes) {
    std::copy(ready_.begin(), ready_.end(), buffer_.begin());
    ready_ = ByteSpan(buffer_).first(ready_.size());
  }
  while (ready_.size() < size_bytes) {
    VARVE_ASSIGN_OR_RETURN(const std::size_t more, source_.Read(std::span(buffer_).subspan(ready_.size())));
    if (more == 0) break;
    ready_ = ByteSpan(buffer_).first(ready_.size() + more);
  }
  return ready_.first(std::min(size_bytes, ready_.size()));
}

void LiteralStream::PassLiteral(std::size_t size_bytes) {
  VARVE_CHECK(size_bytes <= ready_.size());
  if (size_bytes > 0) on_literal_(ready_.first(size_bytes));
  Drop(size_bytes);
}

Result<std::uint64_t> LiteralStream::SkipLiteral(std::uint64_t size_bytes) {
  std::uint64_t skipped = 0;
  while (skipped < size_bytes) {
    if (ready_.empty()) VARVE_RETURN_IF_ERROR(Peek(1));
    if (ready_.empty()) break;
    const auto some = static_cast<std::size_t>(std::min<std::uint64_t>(size_bytes - skipped, ready_.size()));
    PassLiteral(some);
    skipped += some;
  }
  return skipped;
}

Result<std::size_t> LiteralStream::Take(std::span<std::byte> into) {
  // What fills a whole buffer goes where it belongs without a copy.
  if (ready_.empty() && into.size() >= buffer_.size()) {
    VARVE_ASSIGN_OR_RETURN(const std::size_t size, source_.Read(into));
    offset_ += size;
    return size;
  }
  if (ready_.empty()) VARVE_RETURN_IF_ERROR(Peek(1));
  const std::size_t size = std::min(into.size(), ready_.size());
  std::copy_n(ready_.begin(), size, into.begin());
  Drop(size);
  return size;
}

void LiteralStream::Drop(std::size_t size_bytes) {
  ready_ = ready_.subspan(size_bytes);
  offset_ += size_bytes;
}

}  // namespace varve
