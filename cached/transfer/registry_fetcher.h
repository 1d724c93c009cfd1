#pragma once

#include "cached/oci/image_tree.h"
#include "cached/registry/registry_client.h"
#include "cached/transfer/blob_fetcher.h"

namespace varve {

// The blobs of one repository.
class RegistryFetcher final : public BlobFetcher {
 public:
  explicit RegistryFetcher(RegistryClient& client) : client_(client) {}
  Status Fetch(const Descriptor& blob, const Sink& sink, const CancelToken& cancel) override {
    return client_.FetchBlob(blob, sink, cancel);
  }

 private:
  RegistryClient& client_;
};

// The manifests of an image at a registry: for `platform`, or all of them. Errors name the manifest.
Result<ImageTree> FetchImageTree(RegistryClient& client, const Reference& reference,
                                 const std::optional<Platform>& platform, const CancelToken& cancel);

// A config, whole; its digest is the caller's to check.
Result<Bytes> FetchConfig(BlobFetcher& fetcher, const Descriptor& config, const CancelToken& cancel);

}  // namespace varve
