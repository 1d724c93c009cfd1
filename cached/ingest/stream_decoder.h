#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "cached/base/bytes.h"
#include "cached/base/result.h"

namespace varve {

// One compression format of layers. A stream is members, one after the other: gzip's word, zstd says frames.
class StreamDecoder {
 public:
  struct Step {
    std::size_t consumed_bytes;
    std::size_t produced_bytes;
    bool member_ended;
  };

  virtual ~StreamDecoder() = default;

  virtual std::string_view name() const = 0;
  // Whether a member may begin with `first`, which is kMagicBytes long, or shorter at the end of the stream.
  virtual bool StartsWith(ByteSpan first) const = 0;
  // How far back the member that begins with `first` may refer, which is how much memory it wants: `first` is
  // kMemberHeadBytes long, or shorter at the end of the stream. Nobody vouches for what it says.
  virtual std::uint64_t WindowBytes(ByteSpan first) const = 0;
  // To be called in front of each member's first Decode.
  virtual void StartMember() = 0;
  // Decodes until the input is used up, the output is full or the member ends. Neither consumes nor produces when it
  // needs more input. kDataLoss for what is no valid member, wrong checksums too.
  virtual Result<Step> Decode(ByteSpan input, std::span<std::byte> output) = 0;
};

inline constexpr std::size_t kMagicBytes = 10;
inline constexpr std::size_t kMemberHeadBytes = 18;  // the longest header of a zstd frame

// 128 MiB, what `zstd --ultra -22` needs and what zstd itself decodes unasked.
inline constexpr int kZstdWindowLogMax = 27;
// `xz -9` needs 65 MiB.
inline constexpr std::uint64_t kXzMemoryBytesMax = 80 << 20;

std::unique_ptr<StreamDecoder> MakeGzipDecoder();
std::unique_ptr<StreamDecoder> MakeZstdDecoder();
std::unique_ptr<StreamDecoder> MakeBzip2Decoder();
std::unique_ptr<StreamDecoder> MakeXzDecoder();

}  // namespace varve
