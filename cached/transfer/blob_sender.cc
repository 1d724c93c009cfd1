#include "cached/transfer/blob_sender.h"

#include <fmt/core.h>

#include <algorithm>

#include "cached/content/sha256.h"
#include "cached/oci/media_types.h"
#include "cached/transfer/pipe.h"

namespace varve {

using State = LayerProgress::State;

Result<BlobSender> BlobSender::Open(HttpTransport& transport, const Reference& repository, const PushHooks& hooks,
                                    const CancelToken& cancel) {
  VARVE_ASSIGN_OR_RETURN(RegistryOptions access, hooks.access(repository));
  access.access = RepositoryAccess::kPush;
  VARVE_ASSIGN_OR_RETURN(auto client, RegistryClient::Create(transport, repository, std::move(access), cancel));
  return BlobSender(std::move(client), repository, hooks.progress, cancel);
}

Result<bool> BlobSender::Find(const Digest& blob, const std::optional<Reference>& from, const Descriptor& shown) {
  VARVE_ASSIGN_OR_RETURN(const bool exists, client_->HasBlob(blob, *cancel_));
  if (exists) {
    (*progress_)({shown.digest, State::kExists, shown.size_bytes, shown.size_bytes});
    return true;
  }
  if (!from || from->domain != repository_.domain || from->path == repository_.path) return false;
  VARVE_ASSIGN_OR_RETURN(const bool mounted, client_->MountBlob(blob, from->path, *cancel_));
  if (mounted) {
    (*progress_)({shown.digest, State::kMounted, shown.size_bytes, shown.size_bytes, from->FamiliarRepository()});
  }
  return mounted;
}

Result<UploadedBlob> BlobSender::Upload(const std::optional<Digest>& expected, const Descriptor& shown,
                                        Produce produce) {
  BlobUpload upload;
  upload.expected = expected;
  upload.open = [produce = std::move(produce)] { return PipeFrom(produce); };
  upload.progress = [&](std::uint64_t sent) {
    (*progress_)({shown.digest, State::kPushing, sent, std::max(sent, shown.size_bytes)});
  };
  VARVE_ASSIGN_OR_RETURN(const UploadedBlob uploaded, client_->UploadBlob(upload, *cancel_));
  (*progress_)({shown.digest, State::kDone, uploaded.size_bytes, uploaded.size_bytes});
  return uploaded;
}

Result<Descriptor> BlobSender::Compress(const LayerCompression& compression, ThreadPool& pool, const Descriptor& shown,
                                        const Produce& produce) {
  VARVE_ASSIGN_OR_RETURN(const UploadedBlob uploaded,
                         Upload(std::nullopt, shown, [&](const BlobFetcher::Sink& sink) -> Status {
                           LayerCompressor compressor(pool, compression, sink);
                           VARVE_RETURN_IF_ERROR(produce([&](ByteSpan piece) { return compressor.Write(piece); }));
                           return compressor.Finish();
                         }));
  const bool gzip = compression.format == LayerFormat::kGzip;
  return DescriptorOf(gzip ? kOciLayerGzipType : kOciLayerZstdType, uploaded.digest, uploaded.size_bytes);
}

Status BlobSender::PutManifest(ByteSpan manifest, const std::string& media_type) {
  const Digest digest = Sha256Of(manifest);
  if (repository_.digest && *repository_.digest != digest) {
    return Error(Code::kFailedPrecondition,
                 fmt::format("its manifest would be {}; push it to a tag", digest.ToString()));
  }
  return client_->PutManifest(repository_.digest ? digest.ToString() : repository_.tag, manifest, media_type, *cancel_);
}

}  // namespace varve
