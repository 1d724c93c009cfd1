#pragma once

#include <functional>

#include "cached/base/bytes.h"
#include "cached/base/cancel.h"
#include "cached/oci/descriptor.h"

namespace varve {

// Where the blobs of an image come from: a registry, or a client that has them open. Nothing it gives is believed:
// whoever takes the bytes computes their digest.
class BlobFetcher {
 public:
  using Sink = std::function<Status(ByteSpan)>;

  virtual ~BlobFetcher() = default;
  // Hands the blob to `sink`, each byte once and in order. An error of `sink` is returned as it is.
  virtual Status Fetch(const Descriptor& blob, const Sink& sink, const CancelToken& cancel) = 0;
};

}  // namespace varve
