#pragma once

#include <list>
#include <memory>
#include <unordered_map>
#include <utility>

#include "cached/base/bytes.h"
#include "cached/base/mutex.h"
#include "cached/content/digest.h"

namespace varve {

// Manifests that were asked for last, by digest: what a fleet pulls again and again costs no file. Thread-safe.
class DocumentCache {
 public:
  static constexpr std::size_t kBytesMax = 8 << 20;            // of all documents
  static constexpr std::size_t kDocumentBytesMax = 256 << 10;  // a larger one is not kept

  // Null if it is not here.
  std::shared_ptr<const Bytes> Find(const Digest& digest) EXCLUDES(mutex_);
  void Add(const Digest& digest, std::shared_ptr<const Bytes> document) EXCLUDES(mutex_);

 private:
  using Entry = std::pair<Digest, std::shared_ptr<const Bytes>>;
  Mutex mutex_;
  std::list<Entry> entries_ GUARDED_BY(mutex_);  // the one used last is in front
  std::unordered_map<Digest, std::list<Entry>::iterator> places_ GUARDED_BY(mutex_);
  std::size_t bytes_ GUARDED_BY(mutex_) = 0;
};

}  // namespace varve
