#include "cached/content/codec.h"

#include <fmt/core.h>
#include <zstd.h>

#include <algorithm>

namespace varve {

void Compressor::Free::operator()(ZSTD_CCtx_s* context) const { ZSTD_freeCCtx(context); }

Compressor::Compressor(int zstd_level) : zstd_level_(zstd_level), context_(ZSTD_createCCtx()) {
  VARVE_CHECK(context_ != nullptr);
}
Compressor::~Compressor() = default;
Compressor::Compressor(Compressor&&) noexcept = default;

Codec Compressor::Compress(ByteSpan raw, Bytes& out) {
  scratch_.resize(ZSTD_compressBound(raw.size()));
  const std::size_t size =
      ZSTD_compressCCtx(context_.get(), scratch_.data(), scratch_.size(), raw.data(), raw.size(), zstd_level_);
  VARVE_CHECK(!ZSTD_isError(size));
  if (size > raw.size() - raw.size() / 32) return Codec::kRaw;
  out.assign(scratch_.begin(), scratch_.begin() + static_cast<std::ptrdiff_t>(size));
  return Codec::kZstd;
}

Status Decompress(Codec codec, ByteSpan stored, std::span<std::byte> raw) {
  switch (codec) {
    case Codec::kRaw:
      if (stored.size() != raw.size()) {
        return Error(Code::kDataLoss, fmt::format("{} raw bytes where {} belong", stored.size(), raw.size()));
      }
      std::copy(stored.begin(), stored.end(), raw.begin());
      return Ok();
    case Codec::kZstd: {
      struct Context {
        ZSTD_DCtx* const handle = ZSTD_createDCtx();
        ~Context() { ZSTD_freeDCtx(handle); }
      };
      thread_local const Context context;
      const std::size_t size =
          ZSTD_decompressDCtx(context.handle, raw.data(), raw.size(), stored.data(), stored.size());
      if (ZSTD_isError(size)) return Error(Code::kDataLoss, fmt::format("zstd: {}", ZSTD_getErrorName(size)));
      if (size != raw.size())
        return Error(Code::kDataLoss, fmt::format("zstd gave {} bytes where {} belong", size, raw.size()));
      return Ok();
    }
  }
  return Error(Code::kDataLoss, fmt::format("unknown codec {}", static_cast<int>(codec)));
}

}  // namespace varve
