#pragma once

#include <functional>
#include <span>

#include "cached/base/cancel.h"
#include "cached/store/store.h"

namespace varve {

// Gives back the exact uncompressed tars of layers, one after another, from recipe and chunks and in bounded memory.
// All are leased from the beginning on: no collection takes any of them away meanwhile. kNotFound for a layer that is
// not stored, being removed or known to be damaged, before the first piece; kDataLoss, at the latest behind a layer's
// last piece, for one that is not what its diff ID says: what was given of it is worth nothing then. Errors name the
// layer; one of `sink` is returned as it is.
using LayerTarSink = std::function<Status(std::size_t layer, ByteSpan piece)>;  // `layer` counts from 0
Status ReadLayerTars(Store& store, std::span<const Digest> diff_ids, const LayerTarSink& sink,
                     const CancelToken& cancel);

}  // namespace varve
