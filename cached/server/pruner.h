#pragma once

#include <chrono>
#include <functional>
#include <span>

#include "cached/base/mutex.h"
#include "cached/server/driver_sessions.h"
#include "cached/server/use_leases.h"
#include "cached/store/collector.h"
#include "cached/transfer/catalog.h"

namespace varve {

// Collections of a store whose images may be mounted: asks the driver to give up what nobody uses, collects, and has
// the driver close the packs that go. One at a time; thread-safe. Everything must outlive it.
class Pruner {
 public:
  // `push_grace`: as CollectOptions has it.
  Pruner(Store& store, Catalog& catalog, DriverSessions& driver, UseLeases& leases,
         std::chrono::nanoseconds push_grace = CollectOptions().push_grace)
      : push_grace_(push_grace), store_(store), catalog_(catalog), driver_(driver), leases_(leases) {}

  // `options` without `close_packs` and `push_grace`; what the driver serves comes to `in_use`.
  Result<CollectOutcome> Run(CollectOptions options) EXCLUDES(collecting_);
  // Runs `work` while no collection runs.
  Status BesideNone(const std::function<Status()>& work) EXCLUDES(collecting_);
  // As CollectOptions::close_packs.
  void ClosePacks(std::span<const PackId> packs) { driver_.ClosePacks(packs); }

 private:
  Result<std::vector<ChainId>> Candidates(CollectOptions::Images images) const;

  const std::chrono::nanoseconds push_grace_;
  Store& store_;
  Catalog& catalog_;
  DriverSessions& driver_;
  UseLeases& leases_;
  Mutex collecting_;  // held for a whole collection
};

}  // namespace varve
