#pragma once

#include "cli/copy/copy_source.h"

namespace varve {

// Takes blobs one after another.
class BlobSink {
 public:
  virtual ~BlobSink() = default;
  virtual Status Begin(const Descriptor& blob) = 0;
  virtual Status Take(ByteSpan piece) = 0;
  // The blob was what its descriptor says.
  virtual Status End() = 0;
};

// Reads `blobs` into `sink`, and compares each with its digest and size: kDataLoss before End. `on_event` gets their
// progress, as that of layers.
Status ReadVerified(CopySource& source, std::span<const Descriptor> blobs, BlobSink& sink,
                    const DaemonClient::OnPullEvent& on_event);

}  // namespace varve
