#pragma once

#include <map>
#include <string>
#include <vector>

#include "cached/store/store.h"

namespace varve {

// How images are read beside collections and removals: whole, or not at all.

// The layers of an image, lowest first. kDataLoss if the record is damaged.
Result<std::vector<Digest>> DiffIdsOf(const store::Manifest& image);

// The canonical references of each image, sorted; by its manifest's KeyOf.
Result<std::map<std::string, std::vector<std::string>>> NamesByManifest(const Store& store);

// The record of the image `manifest`, its layers leased by `session`, or its image index too: they stay, the layers
// with all of their chunks, for as long as the session is open, even if the image is removed. None if it is not stored.
enum class Leased { kLayers, kLayersAndIndex };
Result<std::optional<store::Manifest>> FindLeased(const Store& store, const Digest& manifest, Leased what,
                                                  LeaseTable::Session& session);

// Verbatim, verified. kNotFound if the image is not stored (any more).
Result<Bytes> ReadManifest(Store& store, const Digest& manifest);
Result<Bytes> ReadConfig(Store& store, const Digest& manifest);

}  // namespace varve
