#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <string_view>

#include "cached/base/bytes.h"
#include "cached/base/result.h"
#include "cached/base/thread_pool.h"

namespace varve {

enum class LayerFormat { kGzip, kZstd };

// How a layer is compressed for a registry.
struct LayerCompression {
  LayerFormat format = LayerFormat::kGzip;
  int level = 6;  // gzip: 1 to 12 (libdeflate's), 6 unless said; zstd: 1 to 19, 3 unless said

  // "gzip", "zstd", "zstd:12"; kInvalidArgument otherwise.
  static Result<LayerCompression> Parse(std::string_view text);
};

// Compresses a stream on the threads of a pool (the essay is in layer_compressor.cc). What comes out depends on what
// goes in, the format and the level alone. Holds kBlocksInFlight blocks and what they become. Not thread-safe.
class LayerCompressor {
 public:
  static constexpr std::size_t kBlocksInFlight = 4;

  // `pool` must outlive it. `sink` is called by Write and Finish, in order; its errors are returned as they are.
  LayerCompressor(ThreadPool& pool, const LayerCompression& compression, std::function<Status(ByteSpan)> sink);

  Status Write(ByteSpan bytes);
  // The last call.
  Status Finish();

 private:
  Status Dispatch();
  Status Collect();

  ThreadPool& pool_;
  const LayerCompression compression_;
  const std::size_t block_bytes_;
  const std::function<Status(ByteSpan)> sink_;
  Bytes block_;
  std::uint64_t dispatched_ = 0;
  std::deque<std::future<Result<Bytes>>> in_flight_;
};

}  // namespace varve
