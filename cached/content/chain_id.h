#pragma once

#include <span>
#include <vector>

#include "cached/content/digest.h"

namespace varve {

// The chain ID of each stack of `diff_ids`, lowest first (OCI image-spec, config.md, "Layer ChainID").
std::vector<ChainId> ChainIdsOf(std::span<const Digest> diff_ids);

// That of the whole stack; zeros for no layers.
ChainId ChainIdOf(std::span<const Digest> diff_ids);

}  // namespace varve
