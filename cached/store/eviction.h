#pragma once

#include <cstdint>
#include <span>

#include "cached/store/store.h"

namespace varve {

// How many of `images`, taken in their order, can stay if the frames that they, the images of `in_use` and the layers
// of repositories need have at most `budget_bytes` together. Frames that several need count once, so an image that
// shares all it has costs nothing. Reads the locator tables of all layers: about a second for a million chunks.
Result<std::size_t> CountThatFit(Store& store, std::span<const ChainId> in_use, std::span<const store::Manifest> images,
                                 std::uint64_t budget_bytes);

}  // namespace varve
