#include "cached/server/pruner.h"

#include <unordered_set>

namespace varve {

// The images that go if nobody uses them, as far as they may be mounted.
Result<std::vector<ChainId>> Pruner::Candidates(CollectOptions::Images images) const {
  VARVE_ASSIGN_OR_RETURN(std::vector<ChainId> candidates, driver_.Pinned());
  if (images != CollectOptions::Images::kDangling) return candidates;
  VARVE_ASSIGN_OR_RETURN(const auto rows, catalog_.List());
  std::unordered_set<std::string> named;
  for (const Catalog::Row& row : rows) {
    if (!row.name.empty()) named.insert(row.record.chain_id());
  }
  std::erase_if(candidates,
                [&](const ChainId& chain_id) { return named.contains(std::string(KeyOf(chain_id.digest))); });
  return candidates;
}

Result<CollectOutcome> Pruner::Run(CollectOptions options) {
  const MutexLock one_at_a_time(collecting_);
  leases_.EndOverdue();
  VARVE_ASSIGN_OR_RETURN(const std::vector<ChainId> candidates, Candidates(options.images));
  VARVE_ASSIGN_OR_RETURN(const std::vector<ChainId> served, driver_.ReleaseUnused(candidates));
  options.in_use.insert(options.in_use.end(), served.begin(), served.end());
  options.push_grace = push_grace_;
  options.close_packs = [this](std::span<const PackId> packs) { ClosePacks(packs); };
  return Collect(store_, options);
}

Status Pruner::BesideNone(const std::function<Status()>& work) {
  const MutexLock no_collection(collecting_);
  return work();
}

}  // namespace varve
