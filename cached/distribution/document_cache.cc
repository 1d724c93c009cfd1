#include "cached/distribution/document_cache.h"

namespace varve {

std::shared_ptr<const Bytes> DocumentCache::Find(const Digest& digest) {
  const MutexLock lock(mutex_);
  const auto found = places_.find(digest);
  if (found == places_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->second;
}

void DocumentCache::Add(const Digest& digest, std::shared_ptr<const Bytes> document) {
  if (document->size() > kDocumentBytesMax) return;
  const MutexLock lock(mutex_);
  if (places_.contains(digest)) return;
  bytes_ += document->size();
  entries_.emplace_front(digest, std::move(document));
  places_.emplace(digest, entries_.begin());
  while (bytes_ > kBytesMax) {
    bytes_ -= entries_.back().second->size();
    places_.erase(entries_.back().first);
    entries_.pop_back();
  }
}

}  // namespace varve
