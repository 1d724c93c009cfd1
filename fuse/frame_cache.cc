#include "fuse/frame_cache.h"

#include <algorithm>
#include <vector>

#include "fuse/turn.h"

namespace varve {

DecodedFramePtr FrameCache::Shard::Touch(Key key) {
  const auto found = by_key.find(key);
  if (found == by_key.end()) return nullptr;
  frames.splice(frames.begin(), frames, found->second);
  return found->second->second;
}

void FrameCache::Shard::Erase(decltype(frames)::iterator frame) {
  bytes -= frame->second->payload.size();
  by_key.erase(frame->first);
  frames.erase(frame);
}

DecodedFramePtr FrameCache::Find(const Locator& at) {
  Shard& shard = ShardOf(KeyOf(at));
  MutexLock lock(shard.mutex);
  return shard.Touch(KeyOf(at));
}

DecodedFramePtr FrameCache::FindOrClaim(const Locator& at) {
  const Key key = KeyOf(at);
  Shard& shard = ShardOf(key);
  MutexLock lock(shard.mutex);
  while (true) {
    if (DecodedFramePtr found = shard.Touch(key)) return found;
    if (shard.claimed.insert(key).second) return nullptr;
    Turn::Pass();
    shard.settled.Wait(lock);
  }
}

void FrameCache::Settle(const Locator& at, DecodedFramePtr decoded) {
  const Key key = KeyOf(at);
  Shard& shard = ShardOf(key);
  std::vector<DecodedFramePtr> freed_after_unlock;
  MutexLock lock(shard.mutex);
  shard.claimed.erase(key);
  shard.settled.NotifyAll();
  if (decoded == nullptr || decoded->payload.size() > shard_budget_bytes_) return;
  shard.bytes += decoded->payload.size();
  shard.frames.emplace_front(key, std::move(decoded));
  shard.by_key[key] = shard.frames.begin();
  while (shard.bytes > shard_budget_bytes_) {
    freed_after_unlock.push_back(shard.frames.back().second);
    shard.Erase(std::prev(shard.frames.end()));
  }
}

void FrameCache::DropPacks(std::span<const std::uint32_t> packs) {
  for (Shard& shard : shards_) {
    MutexLock lock(shard.mutex);
    for (auto frame = shard.frames.begin(); frame != shard.frames.end();) {
      const auto pack = static_cast<std::uint32_t>(frame->first >> 32);
      const auto next = std::next(frame);
      if (std::ranges::find(packs, pack) != packs.end()) shard.Erase(frame);
      frame = next;
    }
  }
}

}  // namespace varve
