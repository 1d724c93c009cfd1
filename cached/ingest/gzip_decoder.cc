#include <fmt/core.h>
#include <isa-l/igzip_lib.h>

#include <limits>

#include "cached/ingest/stream_decoder.h"

namespace varve {
namespace {

std::string_view InflateErrorText(int code) {
  switch (code) {
    case ISAL_INVALID_BLOCK:
      return "an invalid deflate block";
    case ISAL_INVALID_SYMBOL:
      return "an invalid deflate symbol";
    case ISAL_INVALID_LOOKBACK:
      return "a match that begins before the data";
    case ISAL_INVALID_WRAPPER:
      return "an invalid gzip header";
    case ISAL_UNSUPPORTED_METHOD:
      return "a compression method that is not deflate";
    case ISAL_INCORRECT_CHECKSUM:
      return "CRC32 or length do not match the data";
    default:
      return "damaged";
  }
}

std::uint32_t ClampToU32(std::size_t size) {
  return static_cast<std::uint32_t>(std::min<std::size_t>(size, std::numeric_limits<std::uint32_t>::max()));
}

// RFC 1952 by ISA-L, which verifies CRC32 and ISIZE. The header is read by a call of its own (which checks FHCRC):
// isal_inflate reads headers too, but forgets between two calls which optional field it was in, and then fails on a
// header that two reads share.
class GzipDecoder : public StreamDecoder {
 public:
  GzipDecoder() { isal_inflate_init(&state_); }

  std::string_view name() const override { return "gzip"; }
  bool StartsWith(ByteSpan first) const override {
    return first.size() >= 2 && first[0] == std::byte{0x1f} && first[1] == std::byte{0x8b};
  }
  std::uint64_t WindowBytes(ByteSpan) const override { return ISAL_DEF_HIST_SIZE; }
  void StartMember() override {
    isal_inflate_reset(&state_);
    state_.crc_flag = ISAL_GZIP_NO_HDR_VER;
    isal_gzip_header_init(&header_);
    in_header_ = true;
  }

  Result<Step> Decode(ByteSpan input, std::span<std::byte> output) override {
    const std::uint32_t input_bytes = ClampToU32(input.size());
    const std::uint32_t output_bytes = ClampToU32(output.size());
    // ISA-L only reads from next_in; its interface lacks the const.
    state_.next_in = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(input.data()));
    state_.avail_in = input_bytes;
    state_.next_out = reinterpret_cast<std::uint8_t*>(output.data());
    state_.avail_out = output_bytes;
    int code = ISAL_DECOMP_OK;
    if (in_header_) {
      code = isal_read_gzip_header(&state_, &header_);
      in_header_ = code == ISAL_END_INPUT;
    }
    if (code == ISAL_DECOMP_OK) code = isal_inflate(&state_);
    if (code != ISAL_DECOMP_OK && code != ISAL_END_INPUT) {
      return Error(Code::kDataLoss, fmt::format("gzip: {}", InflateErrorText(code)));
    }
    return Step{input_bytes - state_.avail_in, output_bytes - state_.avail_out,
                state_.block_state == ISAL_BLOCK_FINISH};
  }

 private:
  inflate_state state_;
  isal_gzip_header header_;
  bool in_header_ = false;
};

}  // namespace

std::unique_ptr<StreamDecoder> MakeGzipDecoder() { return std::make_unique<GzipDecoder>(); }

}  // namespace varve
