#pragma once

#include <string>
#include <vector>

#include "cached/transfer/blob_sender.h"
#include "cached/transfer/catalog.h"

namespace varve {

struct PushOptions {
  LayerCompression compression;     // of layers that have to be compressed
  std::size_t parallel_layers = 3;  // each holds LayerCompressor::kBlocksInFlight blocks at most
};

struct PushOutcome {
  Digest manifest_digest;
  std::uint64_t manifest_bytes = 0;
  bool changed = false;            // it is not the digest that the image has here
  std::vector<std::string> notes;  // why: a line for each reason, of one layer or of many
};

// Brings an image to `destination`. What the repository has is not sent; what another repository of that registry has
// is mounted; what came from another registry is fetched there again by digest and streamed through, verified. Only a
// layer whose original blob cannot be had is compressed from its tar, which changes the manifest's digest; the new blob
// is remembered, and compressed no more. The image is leased meanwhile. Errors name layer, blob or manifest; without
// the manifest nothing of a failed push is visible.
Result<PushOutcome> PushImage(Store& store, HttpTransport& transport, const FoundImage& image,
                              const Reference& destination, const PushOptions& options, const PushHooks& hooks,
                              const CancelToken& cancel);

}  // namespace varve
