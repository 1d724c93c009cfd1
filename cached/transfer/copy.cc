#include "cached/transfer/copy.h"

#include <algorithm>
#include <map>
#include <thread>

#include "cached/content/sha256.h"
#include "cached/oci/media_types.h"

namespace varve {
namespace {

bool IsPlainLayer(const Descriptor& blob) {
  return blob.media_type == kOciLayerType || blob.media_type == kDockerLayerType;
}

// The plain layers of an image of one platform, compressed into the repository: what the manifest has in place of them.
class PlainLayers {
 public:
  explicit PlainLayers(const LayerCompression& compression)
      : compression_(compression),
        pool_(std::max(1u, std::thread::hardware_concurrency()), LayerCompressor::kBlocksInFlight) {}

  Status Send(BlobSender& sender, const Descriptor& blob, const BlobSender::Produce& produce) EXCLUDES(mutex_) {
    VARVE_ASSIGN_OR_RETURN(
        Descriptor compressed, sender.Compress(compression_, pool_, blob, [&](const auto& sink) -> Status {
          Sha256 hash;
          VARVE_RETURN_IF_ERROR(produce([&](ByteSpan piece) {
            hash.Update(piece);
            return sink(piece);
          }));
          const Digest got = hash.Finish();
          if (got == blob.digest) return Ok();
          return Error(Code::kDataLoss,
                       "blob " + blob.digest.ToString() + ": digest mismatch (got " + got.ToString() + ")");
        }));
    MutexLock lock(mutex_);
    compressed_.emplace(blob.digest, std::move(compressed));
    return Ok();
  }

  // `manifest` with them in it.
  Result<ImageTree::Document> Replace(const ImageTree::Document& manifest) EXCLUDES(mutex_) {
    VARVE_ASSIGN_OR_RETURN(const Manifest before, ParseManifest(manifest.bytes, manifest.media_type));
    std::map<std::size_t, Descriptor> changes;
    MutexLock lock(mutex_);
    for (std::size_t i = 0; i < before.layers.size(); ++i) {
      const auto found = compressed_.find(before.layers[i].digest);
      if (found != compressed_.end()) changes.emplace(i, found->second);
    }
    VARVE_ASSIGN_OR_RETURN(Bytes bytes, ReplaceLayers(manifest.bytes, changes));
    VARVE_ASSIGN_OR_RETURN(Manifest after, ParseManifest(bytes, ""));
    const Digest digest = Sha256Of(bytes);
    return ImageTree::Document{std::move(bytes), std::move(after.media_type), digest};
  }

 private:
  const LayerCompression compression_;
  ThreadPool pool_;
  Mutex mutex_;
  std::map<Digest, Descriptor> compressed_ GUARDED_BY(mutex_);
};

}  // namespace

Result<PushOutcome> CopyImage(HttpTransport& transport, const CopiedImage& source, const Reference& destination,
                              const CopyOptions& options, const PushHooks& hooks, const CancelToken& cancel) {
  const ImageTree& image = source.image;
  const bool compresses = options.compression && std::ranges::any_of(image.blobs, IsPlainLayer);
  if (compresses && image.manifests.size() > 1)
    return Error(Code::kInvalidArgument, "layers of several platforms cannot be compressed: their index has digests");
  if (!compresses && destination.digest && *destination.digest != image.top().digest)
    return Error(Code::kFailedPrecondition, "its digest is " + image.top().digest.ToString() + "; copy it to a tag");
  VARVE_ASSIGN_OR_RETURN(BlobSender sender, BlobSender::Open(transport, destination, hooks, cancel));
  std::optional<PlainLayers> plain;
  if (compresses) plain.emplace(*options.compression);
  for (const Descriptor& blob : image.blobs)
    hooks.progress({blob.digest, LayerProgress::State::kWaiting, 0, blob.size_bytes});
  VARVE_RETURN_IF_ERROR(EachInParallel(image.blobs.size(), options.parallel_blobs, [&](std::size_t i) -> Status {
    VARVE_RETURN_IF_ERROR(cancel.Check());
    const Descriptor& blob = image.blobs[i];
    const BlobSender::Produce produce = [&](const BlobFetcher::Sink& sink) {
      return source.blobs.Fetch(blob, sink, cancel);
    };
    if (plain && IsPlainLayer(blob)) return plain->Send(sender, blob, produce);
    VARVE_ASSIGN_OR_RETURN(const bool there, sender.Find(blob.digest, source.repository, blob));
    if (!there) VARVE_RETURN_IF_ERROR(sender.Upload(blob.digest, blob, produce));
    return Ok();
  }));
  for (const ImageTree::Document& document : std::span(image.manifests).first(image.manifests.size() - 1)) {
    VARVE_RETURN_IF_ERROR(
        sender.client().PutManifest(document.digest.ToString(), document.bytes, document.media_type, cancel));
  }
  ImageTree::Document top = image.top();
  if (plain) {
    VARVE_ASSIGN_OR_RETURN(top, plain->Replace(top));
  }
  VARVE_RETURN_IF_ERROR(sender.PutManifest(top.bytes, top.media_type));
  PushOutcome outcome{top.digest, top.bytes.size(), compresses, {}};
  if (compresses) outcome.notes.emplace_back("layers that were not compressed are now");
  return outcome;
}

}  // namespace varve
