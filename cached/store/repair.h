#pragma once

#include <functional>
#include <span>
#include <unordered_set>
#include <vector>

#include "cached/base/cancel.h"
#include "cached/store/store.h"
#include "cached/store/verify.h"

namespace varve {

// What a repair does to a store, step by step; cached/transfer/repair.h knows the order. Each step is one commit, or a
// copy made anew: safe beside readers, ingests and a collection, and whatever a crash leaves is as good as before the
// step or as after it. A placement or record is replaced, never taken away first, so that a step which fails has cost
// nothing; what a step writes was verified, and records are replaced only if they are still the ones that were judged.

// True if `lost` cannot be read now: somebody may have written it anew since it was found.
bool IsLost(Store& store, const Damage::Lost& lost);

// The packs' own headers say nothing but their numbers.
Status RestorePackHeader(Store& store, PackId pack);

// A layer's index file, an image's, or a locator table, from packs and placements. Wrong locator words are set in
// place.
Status RestoreFile(Store& store, const Damage::Lost& lost);
// A layer index in the packs, from its file. kNotFound or kDataLoss if that is no help.
Status RestoreLayerIndex(Store& store, const Digest& diff_id);
// The image index, merged anew.
Status RestoreImageIndex(Store& store, const ChainId& chain_id, const CancelToken& cancel);
// Manifest and config, whichever cannot be read; their digests are the caller's to check.
Status RestoreManifest(Store& store, const Digest& manifest_digest, ByteSpan manifest, ByteSpan config);

// A layer that was ingested again: those of its chunks that were damaged are committed, its records only if they cannot
// be read, and the locator words of `chunks` are set in every layer that has them.
Status RestoreLayer(Store& store, ChunkWriter& writer, const Store::LayerCommit& layer,
                    const std::unordered_set<Digest>& chunks);

// Erases the placements of those of `chunks` that cannot be read and that no layer needs. Nothing happens unless every
// layer's index can be read.
Status ForgetChunks(Store& store, std::span<const Digest> chunks);

// Sets every locator word of a layer that is there by the placements, in place.
Status RestoreLocators(Store& store, const Digest& diff_id);

// Moves what is sound out of `packs`, and drops them with what is not. Not beside a collection. Returns those that had
// to stay: something writes into them, or something in them is needed and damaged.
Result<std::vector<PackId>> RetirePacks(Store& store, std::span<const PackId> packs,
                                        const std::function<void(std::span<const PackId>)>& close_packs);

}  // namespace varve
