#include "cached/content/chain_id.h"

#include "cached/content/sha256.h"

namespace varve {

std::vector<ChainId> ChainIdsOf(std::span<const Digest> diff_ids) {
  std::vector<ChainId> chain;
  for (const Digest& diff_id : diff_ids) {
    const bool lowest = chain.empty();
    chain.push_back({lowest ? diff_id : Sha256Of(AsBytes(chain.back().digest.ToString() + " " + diff_id.ToString()))});
  }
  return chain;
}

ChainId ChainIdOf(std::span<const Digest> diff_ids) {
  return diff_ids.empty() ? ChainId{} : ChainIdsOf(diff_ids).back();
}

}  // namespace varve
