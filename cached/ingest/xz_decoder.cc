#include <fmt/core.h>
#include <lzma.h>

#include <string_view>

#include "cached/ingest/stream_decoder.h"

namespace varve {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kXzMagic =
    "\xfd"
    "7zXZ\0"sv;

std::string_view XzErrorText(lzma_ret code) {
  switch (code) {
    case LZMA_OPTIONS_ERROR:
      return "options that this version does not know";
    case LZMA_UNSUPPORTED_CHECK:
      return "an integrity check that this version does not know";
    default:
      return "damaged, or a wrong integrity check";
  }
}

// The .xz format by liblzma, which verifies the integrity check of each block, and the index. The dictionary is the
// only memory that an input can ask for; how much is said in its header, and compared with the limit.
class XzDecoder : public StreamDecoder {
 public:
  ~XzDecoder() override { lzma_end(&stream_); }

  std::string_view name() const override { return "xz"; }
  bool StartsWith(ByteSpan first) const override { return AsText(first).starts_with(kXzMagic); }
  // What it says of its dictionary lies behind fields of any length, and such layers are rare: each counts as the
  // largest.
  std::uint64_t WindowBytes(ByteSpan) const override { return kXzMemoryBytesMax; }
  void StartMember() override {
    VARVE_CHECK(lzma_stream_decoder(&stream_, kXzMemoryBytesMax, LZMA_TELL_UNSUPPORTED_CHECK) == LZMA_OK);
  }

  Result<Step> Decode(ByteSpan input, std::span<std::byte> output) override {
    stream_.next_in = reinterpret_cast<const std::uint8_t*>(input.data());
    stream_.avail_in = input.size();
    stream_.next_out = reinterpret_cast<std::uint8_t*>(output.data());
    stream_.avail_out = output.size();
    const lzma_ret code = lzma_code(&stream_, LZMA_RUN);
    if (code == LZMA_MEMLIMIT_ERROR) {
      return Error(Code::kResourceExhausted, fmt::format("xz: needs {} MiB of memory, above the limit of {} MiB",
                                                         (lzma_memusage(&stream_) >> 20) + 1, kXzMemoryBytesMax >> 20));
    }
    if (code == LZMA_MEM_ERROR) return Error(Code::kResourceExhausted, "xz: no memory");
    // LZMA_BUF_ERROR: twice no progress, which Step says as well.
    if (code != LZMA_OK && code != LZMA_STREAM_END && code != LZMA_BUF_ERROR) {
      return Error(Code::kDataLoss, fmt::format("xz: {}", XzErrorText(code)));
    }
    return Step{input.size() - stream_.avail_in, output.size() - stream_.avail_out, code == LZMA_STREAM_END};
  }

 private:
  lzma_stream stream_ = LZMA_STREAM_INIT;
};

}  // namespace

std::unique_ptr<StreamDecoder> MakeXzDecoder() { return std::make_unique<XzDecoder>(); }

}  // namespace varve
