#pragma once

#include <algorithm>
#include <optional>

#include "cached/base/bounded_queue.h"
#include "cached/ingest/byte_source.h"

namespace varve {

// The joint between two stages of a pipeline: one thread pushes blocks, another reads them as a stream, at most
// `capacity` are between them. Either side may give up; the other then learns of it at its next call.
class QueueSource final : public ByteSource {
 public:
  explicit QueueSource(std::size_t capacity) : blocks_(capacity) {}

  // The writing side. kCancelled if the reader has given up.
  Status Push(Bytes block) {
    if (!blocks_.Push(std::move(block))) return Error(Code::kCancelled, "the next stage has given up");
    return Ok();
  }
  // Ends the stream: well, or with the error that the reader then gets instead of an end.
  void Finish(Status outcome) {
    outcome_ = std::move(outcome);
    blocks_.Close();
  }

  // The reading side.
  Result<std::size_t> Read(std::span<std::byte> into) override {
    while (rest_.empty()) {
      auto block = blocks_.Pop();
      if (!block) {
        if (!outcome_.ok()) return outcome_.error();
        return std::size_t{0};
      }
      block_ = *std::move(block);
      rest_ = block_;
    }
    const std::size_t size = std::min(into.size(), rest_.size());
    std::copy_n(rest_.begin(), size, into.begin());
    rest_ = rest_.subspan(size);
    return size;
  }
  void Abandon() { blocks_.Abandon(); }

 private:
  BoundedQueue<Bytes> blocks_;
  Status outcome_;  // written before Close, read after it was seen
  Bytes block_;
  ByteSpan rest_;
};

}  // namespace varve
