#pragma once

#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "cached/base/mutex.h"
#include "cached/server/evictor.h"

namespace varve {

// What the daemon does by itself, on a thread of its own, so that no call waits for it: evicts at the start and after
// pulls, where a limit is set, and gives memory back to the system once nothing has been pulled for a while.
class Housekeeper {
 public:
  // `max_store_bytes` 0: no limit.
  Housekeeper(Store& store, Pruner& pruner, std::uint64_t max_store_bytes,
              std::chrono::milliseconds quiet = std::chrono::seconds(10));
  ~Housekeeper();  // waits for a collection that is under way

  // An image is here and visible; it is not what the eviction that follows takes.
  void Pulled(const Digest& manifest) EXCLUDES(mutex_);

 private:
  void Work();
  void Evict(std::vector<Digest> just_pulled);
  void GiveMemoryBack();

  Store& store_;
  const std::chrono::milliseconds quiet_;
  std::optional<Evictor> evictor_;  // the thread's alone
  Mutex mutex_;
  CondVar wake_;
  std::vector<Digest> pulled_ GUARDED_BY(mutex_);  // since the last look
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace varve
