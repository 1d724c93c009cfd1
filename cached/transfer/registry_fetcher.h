#pragma once

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

// A config, whole; its digest is the caller's to check.
Result<Bytes> FetchConfig(BlobFetcher& fetcher, const Descriptor& config, const CancelToken& cancel);

}  // namespace varve
