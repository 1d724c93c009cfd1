#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cached/base/bytes.h"
#include "cached/content/digest.h"

namespace varve {

// The payload of a group frame: small neighbouring chunks, compressed together (docs/format/pack.md).
//   group = count u32, count × { SHA-256 [32], raw length u32 }, the chunks' bytes one behind the other
inline constexpr std::uint32_t kGroupChunkBytesMax = 16 << 10;  // larger chunks have a frame of their own
inline constexpr std::uint32_t kGroupBytesTarget = 64 << 10;  // a group is closed once it holds so many bytes of chunks
inline constexpr std::uint32_t kGroupChunksMax = 1024;

class GroupBuilder {
 public:
  void Add(const Digest& sha256, ByteSpan chunk);
  bool empty() const { return members_.empty(); }
  bool full() const { return bytes_.size() >= kGroupBytesTarget || members_.size() >= kGroupChunksMax; }
  struct Member {
    Digest sha256;
    std::uint32_t raw_length;
  };
  const std::vector<Member>& members() const { return members_; }
  // The payload; the builder is empty after it.
  Bytes Finish();

 private:
  std::vector<Member> members_;
  Bytes bytes_;
};

// A view of a decoded group payload, which must outlive it.
class GroupView {
 public:
  // kDataLoss if the table does not add up to the payload.
  static Result<GroupView> Open(ByteSpan payload);

  std::size_t size() const { return count_; }
  Digest sha256(std::size_t index) const;
  ByteSpan chunk(std::size_t index) const;
  std::optional<ByteSpan> Find(const Digest& sha256) const;

 private:
  GroupView(ByteSpan payload, std::size_t count) : payload_(payload), count_(count) {}

  ByteSpan payload_;
  std::size_t count_;
};

}  // namespace varve
