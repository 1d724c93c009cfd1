#include "cached/server/housekeeper.h"

#include <malloc.h>

#include "cached/base/log.h"

namespace varve {

Housekeeper::Housekeeper(Store& store, Pruner& pruner, std::uint64_t max_store_bytes, std::chrono::milliseconds quiet)
    : store_(store), quiet_(quiet) {
  if (max_store_bytes > 0) evictor_.emplace(store, pruner, max_store_bytes);
  thread_ = std::thread([this] { Work(); });
}

Housekeeper::~Housekeeper() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  thread_.join();
}

void Housekeeper::Pulled(const Digest& manifest) {
  MutexLock lock(mutex_);
  pulled_.push_back(manifest);
  wake_.NotifyAll();
}

void Housekeeper::Work() {
  Evict({});
  bool grown = true;  // memory may be held that nobody needs
  while (true) {
    std::vector<Digest> pulled;
    {
      MutexLock lock(mutex_);
      while (pulled_.empty() && !stopping_) {
        if (!grown) {
          wake_.Wait(lock);
        } else if (!wake_.WaitFor(lock, quiet_)) {
          break;
        }
      }
      if (stopping_) return;
      pulled.swap(pulled_);
    }
    if (pulled.empty()) {
      GiveMemoryBack();
    } else {
      Evict(pulled);
    }
    grown = !pulled.empty();
  }
}

void Housekeeper::Evict(std::vector<Digest> just_pulled) {
  if (!evictor_) return;
  const Status evicted = evictor_->Run(std::move(just_pulled));
  if (!evicted.ok()) LogError("eviction: {}", evicted.error().message());
}

// Measured in docs/design/threading.md, "Memory".
void Housekeeper::GiveMemoryBack() {
  const Status released = store_.database().ReleaseMemory();
  if (!released.ok()) LogWarning("give memory back: {}", released.error().message());
  ::malloc_trim(0);
}

}  // namespace varve
