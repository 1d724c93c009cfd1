#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "cached/store/store.h"

namespace varve {

struct CollectOptions {
  // Which images go, if they are not in use: those without a name; all; or, named or not, the least recently used ones,
  // until the frames of all that stays have at most `keep_bytes`.
  enum class Images { kDangling, kUnused, kLeastRecentlyUsed };
  Images images = Images::kDangling;
  std::uint64_t keep_bytes = 0;
  std::vector<ChainId> in_use;  // served by the driver or needed by containers, whether named or not
  std::vector<Digest> spared;   // manifests that stay as if they were in use
  // Tells readers that no locator names these packs any more, and returns when they have closed them (or a bound has
  // passed).
  std::function<void(std::span<const PackId>)> close_packs;
  double dead_fraction_min = 0.125;  // a pack with less dead bytes is left alone
  // A blob of a repository that no manifest has named yet stays for so long from its linking, or from when a pusher was
  // told of it.
  std::chrono::nanoseconds push_grace = std::chrono::hours(1);
  std::chrono::system_clock::time_point now = std::chrono::system_clock::now();
  // What goes of the layers in repositories that are needed and chunked: nothing, or the exact bytes of those that can
  // be fetched again from where they came from.
  enum class Originals { kKeep, kDropFetchable };
  Originals originals = Originals::kKeep;
};

struct CollectOutcome {
  struct Image {
    Digest config;
    std::vector<std::string> names;  // canonical
    std::chrono::system_clock::time_point used;
  };
  std::vector<Image> deleted;
  std::uint64_t originals_erased = 0;
  std::uint64_t packs_dropped = 0;
  std::uint64_t frames_moved = 0;
};

// Mark and sweep (the essay is in collector.cc). Never blocks a pull, a push or a read. One at a time: the caller's
// lock.
Result<CollectOutcome> Collect(Store& store, const CollectOptions& options);

}  // namespace varve
