#pragma once

#include <chrono>
#include <string_view>
#include <unordered_map>

#include "cached/base/mutex.h"
#include "cached/content/sha256.h"

namespace varve {

// Which blobs of which repositories pushers were told are there. A pusher does not send those, and the manifest that
// names them comes later, in another request: no session can span that, so the collector asks here. In memory: a push
// that a restart of the daemon interrupts looks again. Thread-safe.
class PushLeases {
 public:
  using Time = std::chrono::system_clock::time_point;

  // `link`: key of Column::kRepositoryBlob.
  void Add(std::string_view link, Time now) {
    MutexLock lock(mutex_);
    if (told_.size() >= kMost) {
      told_.clear();
      all_told_ = now;
    }
    told_[Xxh3Of(AsBytes(link))] = now;
  }
  // The manifest has come.
  void Drop(std::string_view link) {
    MutexLock lock(mutex_);
    told_.erase(Xxh3Of(AsBytes(link)));
  }
  bool Holds(std::string_view link, Time since) const {
    MutexLock lock(mutex_);
    const auto found = told_.find(Xxh3Of(AsBytes(link)));
    return all_told_ >= since || (found != told_.end() && found->second >= since);
  }

 private:
  // About 12 MB. Beyond it everything counts as told, which only keeps longer.
  static constexpr std::size_t kMost = 1 << 18;

  mutable Mutex mutex_;
  std::unordered_map<std::uint64_t, Time> told_ GUARDED_BY(mutex_);  // by a sum of the key: a false match keeps longer
  Time all_told_ GUARDED_BY(mutex_) = Time::min();
};

}  // namespace varve
