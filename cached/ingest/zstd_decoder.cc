#include <fmt/core.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "cached/ingest/stream_decoder.h"

namespace varve {
namespace {

// RFC 8878. zstd itself skips skippable frames; to it they are frames without content.
class ZstdDecoder : public StreamDecoder {
 public:
  ZstdDecoder() : context_(ZSTD_createDCtx()) {
    VARVE_CHECK(context_ != nullptr);
    VARVE_CHECK(!ZSTD_isError(ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kZstdWindowLogMax)));
  }

  std::string_view name() const override { return "zstd"; }
  bool StartsWith(ByteSpan first) const override {
    if (first.size() < sizeof(std::uint32_t)) return false;
    const auto magic = LoadLittle<std::uint32_t>(first.data());
    return magic == ZSTD_MAGICNUMBER || (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
  }
  std::uint64_t WindowBytes(ByteSpan first) const override {
    if (first.size() < 6 || LoadLittle<std::uint32_t>(first.data()) != ZSTD_MAGICNUMBER) return 0;
    constexpr std::byte kSingleSegment{0x20};  // then the window is the whole content
    if ((first[4] & kSingleSegment) != std::byte{0}) {
      const unsigned long long content = ZSTD_getFrameContentSize(first.data(), first.size());
      return content >= ZSTD_CONTENTSIZE_ERROR ? 0 : content;
    }
    const auto descriptor = std::to_integer<unsigned>(first[5]);
    const std::uint64_t base = std::uint64_t{1} << (10 + (descriptor >> 3));
    return base + base / 8 * (descriptor & 7);
  }
  void StartMember() override { ZSTD_DCtx_reset(context_.get(), ZSTD_reset_session_only); }

  Result<Step> Decode(ByteSpan input, std::span<std::byte> output) override {
    ZSTD_inBuffer in{input.data(), input.size(), 0};
    ZSTD_outBuffer out{output.data(), output.size(), 0};
    const std::size_t left = ZSTD_decompressStream(context_.get(), &out, &in);
    if (ZSTD_getErrorCode(left) == ZSTD_error_frameParameter_windowTooLarge) {
      return Error(Code::kResourceExhausted,
                   fmt::format("zstd: a window above the limit of {} MiB", (1 << kZstdWindowLogMax) >> 20));
    }
    if (ZSTD_isError(left)) return Error(Code::kDataLoss, fmt::format("zstd: {}", ZSTD_getErrorName(left)));
    return Step{in.pos, out.pos, left == 0};
  }

 private:
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ZSTD_DCtx, Free> context_;
};

}  // namespace

std::unique_ptr<StreamDecoder> MakeZstdDecoder() { return std::make_unique<ZstdDecoder>(); }

}  // namespace varve
