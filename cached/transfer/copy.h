#pragma once

#include <optional>

#include "cached/oci/image_tree.h"
#include "cached/transfer/push.h"

namespace varve {

// An image that lies elsewhere than in the store.
struct CopiedImage {
  const ImageTree& image;
  BlobFetcher& blobs;
  std::optional<Reference> repository;  // where `blobs` are, if at a registry
};

struct CopyOptions {
  // Of layers that are plain tars; nothing: all go as they are. Only for an image of one platform: an index names
  // digests.
  std::optional<LayerCompression> compression;
  std::size_t parallel_blobs = 3;
};

// Brings an image to `destination` without storing any of it: blobs that it has are left out, those of another
// repository of its registry are mounted, all others streamed through, verified on the way. Manifests are sent last and
// byte for byte, so that digests stay; but for layers that are compressed. `changed` says whether there were any.
Result<PushOutcome> CopyImage(HttpTransport& transport, const CopiedImage& source, const Reference& destination,
                              const CopyOptions& options, const PushHooks& hooks, const CancelToken& cancel);

}  // namespace varve
