#include "cached/server/evictor.h"

#include <fmt/chrono.h>
#include <fmt/ranges.h>

#include <utility>

#include "cached/base/log.h"
#include "cached/store/usage.h"

namespace varve {
namespace {

constexpr std::uint64_t kLowWaterPercent = 90;
// Packs with less dead bytes stay as they are. Below the 12.5 % of a prune, so that a store whose live frames are at
// the low-water mark is below the limit for certain: 90 / 0.95 < 95.
constexpr double kDeadFractionMin = 0.05;

struct StoredBytes {
  std::uint64_t packs = 0;
  std::uint64_t rest = 0;  // indexes, database and blobs of repositories
  std::uint64_t total() const { return packs + rest; }
};

Result<StoredBytes> Measure(const RootPaths& paths) {
  StoredBytes stored;
  VARVE_ASSIGN_OR_RETURN(stored.packs, DiskBytes(paths.packs()));
  for (const std::string& directory : {paths.index(), paths.db(), paths.blobs()}) {
    VARVE_ASSIGN_OR_RETURN(const std::uint64_t bytes, DiskBytes(directory));
    stored.rest += bytes;
  }
  return stored;
}

}  // namespace

Status Evictor::Run(std::vector<Digest> spared) {
  VARVE_ASSIGN_OR_RETURN(const StoredBytes before, Measure(store_.paths()));
  if (before.total() <= max_store_bytes_) {
    stays_above_ = false;
    return Ok();
  }
  const std::uint64_t low_water = max_store_bytes_ / 100 * kLowWaterPercent;
  CollectOptions options;
  options.images = CollectOptions::Images::kLeastRecentlyUsed;
  options.keep_bytes = low_water - std::min(low_water, before.rest);
  options.spared = std::move(spared);
  options.dead_fraction_min = kDeadFractionMin;
  VARVE_ASSIGN_OR_RETURN(const CollectOutcome outcome, pruner_.Run(std::move(options)));
  for (const CollectOutcome::Image& image : outcome.deleted) {
    LogInfo("evicted image {} ({}), last used {:%Y-%m-%dT%H:%M:%SZ}", image.config.ToString(),
            image.names.empty() ? "no name" : fmt::format("{}", fmt::join(image.names, ", ")),
            fmt::gmtime(std::chrono::system_clock::to_time_t(image.used)));
  }
  VARVE_ASSIGN_OR_RETURN(const StoredBytes after, Measure(store_.paths()));
  const bool above = after.total() > max_store_bytes_;
  if (above && !std::exchange(stays_above_, true)) {
    LogWarning(
        "the store has {} bytes, [gc] max_store_bytes = {}: what is left is mounted, being pulled or just pulled; it "
        "is evicted once it is not",
        after.total(), max_store_bytes_);
  }
  stays_above_ = above;
  return Ok();
}

}  // namespace varve
