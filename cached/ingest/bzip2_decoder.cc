#include <bzlib.h>
#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <string_view>

#include "cached/ingest/stream_decoder.h"

namespace varve {
namespace {

constexpr std::size_t kLevelAt = 3;
constexpr std::string_view kBlockMagic = "\x31\x41\x59\x26\x53\x59";  // pi
constexpr std::string_view kEndMagic = "\x17\x72\x45\x38\x50\x90";    // its square root: a stream without a block

constexpr std::uint64_t kMemoryBytes = 4 << 20;  // for a block of 900 kB, the largest

unsigned ClampToUnsigned(std::size_t size) {
  return static_cast<unsigned>(std::min<std::size_t>(size, std::numeric_limits<unsigned>::max()));
}

// bzip2 by libbz2, which verifies the CRC of each block and of the whole.
class Bzip2Decoder : public StreamDecoder {
 public:
  ~Bzip2Decoder() override { End(); }

  std::string_view name() const override { return "bzip2"; }
  // The first block's magic too: "BZh9" alone may be how the first name of a plain tar begins.
  bool StartsWith(ByteSpan first) const override {
    const std::string_view text = AsText(first);
    if (text.size() < kMagicBytes || !text.starts_with("BZh")) return false;
    const std::string_view block = text.substr(kLevelAt + 1);
    return text[kLevelAt] >= '1' && text[kLevelAt] <= '9' &&
           (block.starts_with(kBlockMagic) || block.starts_with(kEndMagic));
  }
  std::uint64_t WindowBytes(ByteSpan) const override { return kMemoryBytes; }
  void StartMember() override {
    End();
    stream_ = {};
    VARVE_CHECK(BZ2_bzDecompressInit(&stream_, /*verbosity=*/0, /*small=*/0) == BZ_OK);
    open_ = true;
  }

  Result<Step> Decode(ByteSpan input, std::span<std::byte> output) override {
    const unsigned input_bytes = ClampToUnsigned(input.size());
    const unsigned output_bytes = ClampToUnsigned(output.size());
    // libbz2 only reads from next_in; its interface lacks the const.
    stream_.next_in = const_cast<char*>(reinterpret_cast<const char*>(input.data()));
    stream_.avail_in = input_bytes;
    stream_.next_out = reinterpret_cast<char*>(output.data());
    stream_.avail_out = output_bytes;
    const int code = BZ2_bzDecompress(&stream_);
    if (code != BZ_OK && code != BZ_STREAM_END) {
      return Error(code == BZ_MEM_ERROR ? Code::kResourceExhausted : Code::kDataLoss,
                   code == BZ_MEM_ERROR ? "bzip2: no memory" : "bzip2: a damaged block, or a wrong CRC");
    }
    return Step{input_bytes - stream_.avail_in, output_bytes - stream_.avail_out, code == BZ_STREAM_END};
  }

 private:
  void End() {
    if (open_) BZ2_bzDecompressEnd(&stream_);
    open_ = false;
  }

  bz_stream stream_{};
  bool open_ = false;
};

}  // namespace

std::unique_ptr<StreamDecoder> MakeBzip2Decoder() { return std::make_unique<Bzip2Decoder>(); }

}  // namespace varve
