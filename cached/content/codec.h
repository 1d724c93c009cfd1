#pragma once

#include <cstdint>
#include <memory>

#include "cached/base/bytes.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace varve {

// How the payload of a frame is coded (docs/format/pack.md). The numbers are on disk.
enum class Codec : std::uint8_t { kRaw = 0, kZstd = 1 };

// zstd with one reused context. Not thread-safe: one a thread.
class Compressor {
 public:
  explicit Compressor(int zstd_level);
  ~Compressor();
  Compressor(Compressor&&) noexcept;

  // Compresses `raw` into `out` (replaced) and says kZstd; kRaw, with `out` untouched, where that would save less than
  // 3 %.
  Codec Compress(ByteSpan raw, Bytes& out);

 private:
  struct Free {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  const int zstd_level_;
  std::unique_ptr<ZSTD_CCtx_s, Free> context_;
  Bytes scratch_;
};

// Decodes `stored` into exactly `raw` (its size is the known raw length). kDataLoss if it is not what Compress made of
// so many bytes. Thread-safe: contexts are per thread.
Status Decompress(Codec codec, ByteSpan stored, std::span<std::byte> raw);

}  // namespace varve
