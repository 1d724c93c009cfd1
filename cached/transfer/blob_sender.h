#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cached/ingest/layer_compressor.h"
#include "cached/oci/reference.h"
#include "cached/registry/registry_client.h"
#include "cached/transfer/blob_fetcher.h"
#include "cached/transfer/install.h"

namespace varve {

// Who sends to registries needs of the caller.
struct PushHooks {
  // The caller's world for a repository; called once for each that is spoken to, from several threads.
  std::function<Result<RegistryOptions>(const Reference&)> access;
  ProgressSink progress;
};

// Brings blobs to one repository, each in the cheapest way there is, and says how far it is. `shown` is the blob in
// whose place that is: what progress is told of. Thread-safe; errors name the blob.
class BlobSender {
 public:
  // Asks for access first. `transport`, `hooks` and `cancel` must outlive it.
  static Result<BlobSender> Open(HttpTransport& transport, const Reference& repository, const PushHooks& hooks,
                                 const CancelToken& cancel);

  // Whether the repository has the blob now: it had it, or `from`, another one of its registry, shares it.
  Result<bool> Find(const Digest& blob, const std::optional<Reference>& from, const Descriptor& shown);

  // Gives all bytes of a blob to a sink, the same each time that it is called: once, or again after a transfer broke.
  using Produce = std::function<Status(const BlobFetcher::Sink& sink)>;
  // RegistryClient::UploadBlob.
  Result<UploadedBlob> Upload(const std::optional<Digest>& expected, const Descriptor& shown, Produce produce);
  // Of the plain tar that `produce` gives; what it has become, in OCI's words. `pool` compresses.
  Result<Descriptor> Compress(const LayerCompression& compression, ThreadPool& pool, const Descriptor& shown,
                              const Produce& produce);

  // The last call: the image is visible by it. kFailedPrecondition if the repository was named with another digest.
  Status PutManifest(ByteSpan manifest, const std::string& media_type);
  RegistryClient& client() { return *client_; }

 private:
  BlobSender(std::unique_ptr<RegistryClient> client, const Reference& repository, const ProgressSink& progress,
             const CancelToken& cancel)
      : client_(std::move(client)), repository_(repository), progress_(&progress), cancel_(&cancel) {}

  std::unique_ptr<RegistryClient> client_;
  Reference repository_;
  const ProgressSink* progress_;
  const CancelToken* cancel_;
};

}  // namespace varve
