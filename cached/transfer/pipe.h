#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "cached/ingest/queue_source.h"
#include "cached/registry/http_transport.h"

namespace varve {

// Runs `produce` on a thread of its own and gives what it hands to its sink as a body, in blocks of at least
// `block_bytes`, of which eight are between the two. An error of `produce` is the body's. When the body goes, the sink
// refuses and the thread is joined.
inline HttpBodySource PipeFrom(std::function<Status(const std::function<Status(ByteSpan)>& sink)> produce,
                               std::size_t block_bytes = 64 << 10) {
  struct Pipe {
    QueueSource bytes{8};
    std::thread thread;
    ~Pipe() {
      bytes.Abandon();
      thread.join();
    }
  };
  auto pipe = std::make_shared<Pipe>();
  pipe->thread = std::thread([&bytes = pipe->bytes, produce = std::move(produce), block_bytes] {
    Bytes block;
    Status outcome = produce([&](ByteSpan piece) -> Status {
      block.insert(block.end(), piece.begin(), piece.end());
      return block.size() < block_bytes ? Ok() : bytes.Push(std::exchange(block, {}));
    });
    if (outcome.ok() && !block.empty()) outcome = bytes.Push(std::move(block));
    bytes.Finish(std::move(outcome));
  });
  return [pipe = std::move(pipe)](std::span<std::byte> into) { return pipe->bytes.Read(into); };
}

}  // namespace varve
