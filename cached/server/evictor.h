#pragma once

#include <cstdint>
#include <vector>

#include "cached/server/pruner.h"

namespace varve {

// Keeps what packs, indexes, database and the blobs of repositories take on disk at or below `max_store_bytes` by
// evicting the images that were used least recently, names and all, of those that are not mounted, not being pulled and
// not spared. It stops at 90 % of the limit (the low-water mark), so that not each pull evicts. Logs a line for each
// image. Not thread-safe.
class Evictor {
 public:
  Evictor(Store& store, Pruner& pruner, std::uint64_t max_store_bytes)
      : store_(store), pruner_(pruner), max_store_bytes_(max_store_bytes) {}

  // Does nothing while the store is at or below the limit. That it stays above is no error: it is logged, once until
  // the store has been below again. `spared`: manifests that were just pulled.
  Status Run(std::vector<Digest> spared);

 private:
  Store& store_;
  Pruner& pruner_;
  const std::uint64_t max_store_bytes_;
  bool stays_above_ = false;
};

}  // namespace varve
