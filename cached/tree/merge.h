#pragma once

#include <span>

#include "cached/base/fs.h"
#include "cached/content/digest.h"
#include "cached/tree/layer_index.h"

namespace varve {

// The image index of a stack of layers, lowest first: a pure function, applied one layer at a time (chain n =
// merge(chain n - 1, layer n)); the essay is in merge.cc. No layers give an empty root. `layers` passed the full check
// once. kInvalidArgument, naming the layer and path, for a hard link to nothing, a path through something that is not a
// directory, or a symlink loop on the way to an entry; kResourceExhausted for symlinks that lead to absurdly many
// places. The index, envelope and all, is written to `file`, which is empty.
Status MergeLayers(std::span<const LayerIndex> layers, File& file);

}  // namespace varve
