#pragma once

#include <cstdint>

#include "cached/store/collector.h"

namespace varve {

// The part of a collection that is about what a registry keeps: links, originals and their files, and uploads that were
// given up (the essay is in unneeded_originals.cc). Between LeaseTable::BeginCollection and EndCollection. Returns how
// many originals went.
Result<std::uint64_t> EraseUnneededOriginals(Store& store, const CollectOptions& options);

}  // namespace varve
