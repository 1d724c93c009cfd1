#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "cached/ingest/byte_source.h"

namespace varve {

class StreamDecoder;

// What a compressed layer may grow into before it counts as a bomb.
struct DecompressOptions {
  std::uint64_t max_output_bytes = std::uint64_t{64} << 30;
  // Output for each byte of input, looked at once the output is larger than kRatioFreeBytes. Deflate cannot pass 1032.
  std::uint64_t max_ratio = 1100;
};

inline constexpr std::uint64_t kRatioFreeBytes = std::uint64_t{16} << 20;

// The plain bytes of a layer, whatever its media type says: the first bytes decide between gzip, zstd, bzip2,
// xz and plain (anything else). Many gzip members, zstd frames (skippable ones too), bzip2 or xz streams are one
// stream; zero bytes behind the last are padding. Every checksum of the stream is verified. Not thread-safe.
class Decompressor : public ByteSource {
 public:
  // `compressed` must outlive this. `before_member` is asked in front of each member, with the bytes
  // of the window that it wants, and ends the stream with its error.
  using BeforeMember = std::function<Status(std::uint64_t window_bytes)>;
  explicit Decompressor(
      ByteSource& compressed, DecompressOptions options = {},
      BeforeMember before_member = [](std::uint64_t) { return Ok(); });
  ~Decompressor() override;

  // Fills all of `into` unless the stream ends. kDataLoss for a damaged or truncated stream and for bytes behind it
  // that are no padding; kResourceExhausted beyond a limit, which it names; else the source's error.
  Result<std::size_t> Read(std::span<std::byte> into) override;

 private:
  Status Refill();
  Status FillHead();
  Status Sniff();
  Status StartMember();
  Status SkipPadding();
  Status CheckLimits() const;
  Result<std::size_t> ReadSome(std::span<std::byte> into);
  Result<std::size_t> ReadPlain(std::span<std::byte> into);
  std::uint64_t consumed_bytes() const { return input_bytes_ - input_.size(); }

  ByteSource& compressed_;
  const DecompressOptions options_;
  const BeforeMember before_member_;
  Bytes block_;                             // what the source gave last
  ByteSpan input_;                          // the part of block_ that is not yet decoded
  std::unique_ptr<StreamDecoder> decoder_;  // none: the stream is plain
  bool sniffed_ = false;
  bool source_ended_ = false;
  bool in_member_ = false;
  bool ended_ = false;
  std::uint64_t input_bytes_ = 0;  // read from the source
  std::uint64_t output_bytes_ = 0;
};

}  // namespace varve
