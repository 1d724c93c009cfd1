#pragma once

#include <cstddef>

#include "cached/tree/image_index.h"

namespace varve {

// Follows every index and range, so that the sanitizers see what a full check let through. The sum keeps the reads from
// being dropped.
std::size_t ReadEverything(const LayerIndex& index);
std::size_t ReadEverything(const ImageIndex& index);

}  // namespace varve
