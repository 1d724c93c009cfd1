#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "cached/store/store.h"

namespace varve {

struct CollectOptions {
  enum class Images { kDangling, kUnused };
  Images images = Images::kDangling;  // which images go: those without a name, or all that are not in `in_use`
  std::vector<ChainId> in_use;        // served by the driver, whether named or not
  // Tells readers that no locator names these packs any more, and returns when they have closed them (or a bound has
  // passed).
  std::function<void(std::span<const PackId>)> close_packs;
  double dead_fraction_min = 0.125;  // a pack with less dead bytes is left alone
};

struct CollectOutcome {
  std::vector<Digest> deleted_configs;  // of images that are gone
  std::uint64_t packs_dropped = 0;
  std::uint64_t frames_moved = 0;
};

// Mark and sweep (the essay is in collector.cc). Never blocks a pull, a push or a read. One at a time: the caller's
// lock.
Result<CollectOutcome> Collect(Store& store, const CollectOptions& options);

}  // namespace varve
