#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <set>
#include <span>
#include <unordered_map>

#include "cached/base/mutex.h"
#include "cached/pack/format.h"
#include "cached/tree/locator_table.h"

namespace varve {

// A frame's decoded payload.
struct DecodedFrame {
  FrameKind kind = FrameKind::kChunk;
  Digest sha256;
  Bytes payload;
};
using DecodedFramePtr = std::shared_ptr<const DecodedFrame>;

// The frames that were decoded last, within a budget of bytes. A frame that several threads ask for at once is decoded
// once: the first decodes, the others wait. Pack numbers are never reused, so nothing here grows stale. Thread-safe.
class FrameCache {
 public:
  explicit FrameCache(std::size_t budget_bytes) : shard_budget_bytes_(budget_bytes / kShards) {}

  // Null on a miss; never waits.
  DecodedFramePtr Find(const Locator& at);

  // `decode` is called without a lock; its error is returned, and remembered by nobody.
  template <class Decode>
  Result<DecodedFramePtr> FindOrDecode(const Locator& at, Decode decode) {
    if (DecodedFramePtr found = FindOrClaim(at)) return found;
    Result<DecodedFramePtr> decoded = decode();
    Settle(at, decoded.ok() ? *decoded : nullptr);
    return decoded;
  }

  void DropPacks(std::span<const std::uint32_t> packs);

 private:
  static constexpr std::size_t kShards = 8;
  using Key = std::uint64_t;  // pack << 32 | offset

  struct Shard {
    Mutex mutex;
    CondVar settled;
    std::list<std::pair<Key, DecodedFramePtr>> frames GUARDED_BY(mutex);  // the last used first
    std::unordered_map<Key, decltype(frames)::iterator> by_key GUARDED_BY(mutex);
    std::set<Key> claimed GUARDED_BY(mutex);
    std::size_t bytes GUARDED_BY(mutex) = 0;

    DecodedFramePtr Touch(Key key) REQUIRES(mutex);
    void Erase(decltype(frames)::iterator frame) REQUIRES(mutex);
  };

  static Key KeyOf(const Locator& at) { return std::uint64_t{at.pack} << 32 | at.offset_bytes; }
  Shard& ShardOf(Key key) { return shards_[(key * 0x9e3779b97f4a7c15u) >> 61]; }
  // The frame, after waiting for whoever decodes it; null: the caller must decode it and call Settle.
  DecodedFramePtr FindOrClaim(const Locator& at);
  void Settle(const Locator& at, DecodedFramePtr decoded);

  const std::size_t shard_budget_bytes_;
  std::array<Shard, kShards> shards_;
};

}  // namespace varve
