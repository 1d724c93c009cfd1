#include "cached/transfer/install.h"

#include <fmt/core.h>

#include <algorithm>
#include <thread>

#include "cached/base/thread_pool.h"
#include "cached/content/chain_id.h"
#include "cached/content/sha256.h"
#include "cached/ingest/queue_source.h"
#include "cached/store/repair.h"

namespace varve {
namespace {

// How soon a pull that is cancelled stops waiting for another's layer.
constexpr std::chrono::milliseconds kCancelInterval{100};

// Runs a fetch on a thread of its own and gives its bytes as a stream that ends well only if they are the blob; unless
// whoever takes them compares them with the same digest anyway.
class Download {
 public:
  enum class Check { kHere, kByTaker };
  Download(const Descriptor& blob, Check check, BlobFetcher& fetcher, std::size_t queued_blocks,
           const ProgressSink& progress, const CancelToken& cancel)
      : blob_(blob), check_(check), progress_(progress), bytes_(queued_blocks) {
    thread_ = std::thread([this, &fetcher, &cancel] { bytes_.Finish(Work(fetcher, cancel)); });
  }
  ~Download() {
    bytes_.Abandon();
    thread_.join();
  }
  ByteSource& bytes() { return bytes_; }

 private:
  Status Work(BlobFetcher& fetcher, const CancelToken& cancel) {
    Sha256 hash;
    std::uint64_t size = 0;
    VARVE_RETURN_IF_ERROR(fetcher.Fetch(
        blob_,
        [&](ByteSpan piece) -> Status {
          if (check_ == Check::kHere) hash.Update(piece);
          size += piece.size();
          progress_({blob_.digest, LayerProgress::State::kDownloading, size, blob_.size_bytes});
          return bytes_.Push({piece.begin(), piece.end()});
        },
        cancel));
    if (check_ == Check::kByTaker) return Ok();
    const Digest got = hash.Finish();
    if (got != blob_.digest) return Error(Code::kDataLoss, "digest mismatch (got " + got.ToString() + ")");
    return Ok();
  }

  const Descriptor& blob_;
  const Check check_;
  const ProgressSink& progress_;
  QueueSource bytes_;
  std::thread thread_;
};

}  // namespace

Result<LayerGate::Pass> LayerGate::Enter(const Digest& diff_id, const CancelToken& cancel) {
  MutexLock lock(mutex_);
  while (inside_.contains(diff_id)) {
    VARVE_RETURN_IF_ERROR(cancel.Check());
    left_.WaitFor(lock, kCancelInterval);
  }
  inside_.insert(diff_id);
  return Pass(this, diff_id);
}

LayerGate::Pass::~Pass() {
  if (gate_ == nullptr) return;
  MutexLock lock(gate_->mutex_);
  gate_->inside_.erase(diff_id_);
  gate_->left_.NotifyAll();
}

Result<ImageDocuments> ImageDocuments::Parse(Bytes manifest, const std::string& content_type, Bytes config) {
  ImageDocuments image;
  image.manifest_digest = Sha256Of(manifest);
  const std::string name = "manifest " + image.manifest_digest.ToString();
  VARVE_ASSIGN_OR_RETURN(image.manifest, ParseManifest(manifest, content_type).In(name));
  const Digest config_digest = Sha256Of(config);
  if (config_digest != image.manifest.config.digest) {
    return Error(Code::kDataLoss, fmt::format("{}: config {}: digest mismatch (got {})", name,
                                              image.manifest.config.digest.ToString(), config_digest.ToString()));
  }
  VARVE_ASSIGN_OR_RETURN(image.config, ParseImageConfig(config).In("config " + config_digest.ToString()));
  if (image.config.diff_ids.size() != image.manifest.layers.size()) {
    return Error(Code::kInvalidArgument, fmt::format("{}: {} layers, but its config has {} diff IDs", name,
                                                     image.manifest.layers.size(), image.config.diff_ids.size()));
  }
  image.manifest_bytes = std::move(manifest);
  image.config_bytes = std::move(config);
  return image;
}

Result<bool> ImageInstaller::Here(const Digest& diff_id, LeaseTable::Session& session) {
  const bool alive = session.Touch(diff_id);
  VARVE_ASSIGN_OR_RETURN(const auto layer, store_.FindLayer(diff_id));
  return alive && layer.has_value();
}

Result<std::vector<Descriptor>> ImageInstaller::Missing(const ImageDocuments& image) {
  LeaseTable::Session session(store_.leases());
  std::vector<Descriptor> missing;
  for (std::size_t i = 0; i < image.manifest.layers.size(); ++i) {
    const Descriptor& blob = image.manifest.layers[i];
    VARVE_ASSIGN_OR_RETURN(const bool here, Here(image.config.diff_ids[i], session));
    const bool listed = std::any_of(missing.begin(), missing.end(),
                                    [&](const Descriptor& other) { return other.digest == blob.digest; });
    if (!here && !listed) missing.push_back(blob);
  }
  return missing;
}

Status ImageInstaller::Install(const ImageDocuments& image, const std::optional<std::string>& name,
                               const std::string& source, BlobFetcher& fetcher, const ProgressSink& progress,
                               const CancelToken& cancel, Order order) {
  const auto writer = store_.OpenWriter();  // its session leases the layers until the image refers to them
  const std::vector<Layer> layers = LayersOf(image);
  for (const Layer& layer : layers)
    progress({layer.blob.digest, LayerProgress::State::kWaiting, 0, layer.blob.size_bytes});
  VARVE_RETURN_IF_ERROR(InstallLayers(layers, order == Order::kParallel ? options_.parallel_layers : 1, source,
                                      writer->session(), fetcher, progress, cancel));
  const std::vector<ChainId> chain_ids = ChainIdsOf(image.config.diff_ids);
  if (chain_ids.empty()) return Error(Code::kInvalidArgument, "the image has no layers");
  Store::ImageCommit commit;
  commit.manifest_digest = image.manifest_digest;
  commit.manifest = image.manifest_bytes;
  commit.config_digest = image.manifest.config.digest;
  commit.config = image.config_bytes;
  commit.diff_ids = image.config.diff_ids;
  commit.chain_id = chain_ids.back();
  commit.name = name;
  commit.source = source;
  commit.index = image.index;
  commit.now = clock_.Now();
  return store_.CommitImage(*writer, commit, [&] { return cancel.Check(); });
}

std::vector<ImageInstaller::Layer> ImageInstaller::LayersOf(const ImageDocuments& image) {
  std::vector<Layer> layers;
  for (std::size_t i = 0; i < image.manifest.layers.size(); ++i)
    layers.push_back({image.manifest.layers[i], image.config.diff_ids[i]});
  return layers;
}

Status ImageInstaller::InstallLayersOnly(const ImageDocuments& image, const std::string& source, BlobFetcher& fetcher,
                                         const CancelToken& cancel) {
  LeaseTable::Session session(store_.leases());
  return InstallLayers(LayersOf(image), 1, source, session, fetcher, [](const LayerProgress&) {}, cancel);
}

Status ImageInstaller::InstallLayers(std::span<const Layer> layers, std::size_t parallel, const std::string& source,
                                     LeaseTable::Session& session, BlobFetcher& fetcher, const ProgressSink& progress,
                                     const CancelToken& cancel) {
  return EachInParallel(layers.size(), parallel, [&](std::size_t i) {
    return InstallLayer(layers[i], source, session, fetcher, progress, cancel)
        .In("layer " + layers[i].blob.digest.ToString());
  });
}

Status ImageInstaller::InstallLayer(const Layer& layer, const std::string& source, LeaseTable::Session& session,
                                    BlobFetcher& fetcher, const ProgressSink& progress, const CancelToken& cancel) {
  VARVE_RETURN_IF_ERROR(cancel.Check());
  const std::uint64_t total = layer.blob.size_bytes;
  VARVE_ASSIGN_OR_RETURN(const LayerGate::Pass pass, gate_.Enter(layer.diff_id, cancel));
  VARVE_ASSIGN_OR_RETURN(const bool here, Here(layer.diff_id, session));
  if (here) {
    VARVE_RETURN_IF_ERROR(NameSource(layer.blob.digest, source, session));
    progress({layer.blob.digest, LayerProgress::State::kExists, total, total});
    return Ok();
  }
  const auto writer = store_.OpenWriter();
  // Whether the blob was known makes no difference now; its record must outlive a collection that has judged an older
  // one. A damaged layer is sound once this writer has committed it.
  static_cast<void>(session.Touch(layer.blob.digest));
  static_cast<void>(writer->session().Touch(layer.diff_id));
  VARVE_ASSIGN_OR_RETURN(const Store::LayerCommit commit, Ingest(layer, source, *writer, fetcher, progress, cancel));
  VARVE_RETURN_IF_ERROR(store_.CommitLayer(*writer, commit));
  progress({layer.blob.digest, LayerProgress::State::kDone, total, total});
  return Ok();
}

// A blob that came from a layout and is known to a registry now can be fetched from there, should it be damaged.
Status ImageInstaller::NameSource(const Digest& blob, const std::string& source, LeaseTable::Session& session) {
  VARVE_ASSIGN_OR_RETURN(auto record, store_.FindBlob(blob));
  if (!record || !record->source().empty() || source.empty() || !session.Touch(blob)) return Ok();
  record->set_source(source);
  JournaledChanges changes;
  changes.Put(Column::kBlob, KeyOf(blob), record->SerializeAsString());
  return store_.CommitChanges(std::move(changes));
}

Status ImageInstaller::RefetchLayer(const Descriptor& blob, const Digest& diff_id, const std::string& source,
                                    const std::unordered_set<Digest>& chunks, BlobFetcher& fetcher,
                                    const ProgressSink& progress, const CancelToken& cancel) {
  VARVE_ASSIGN_OR_RETURN(const LayerGate::Pass pass, gate_.Enter(diff_id, cancel));
  const auto writer = store_.OpenWriter();
  for (const Digest& digest : {blob.digest, diff_id}) static_cast<void>(writer->session().Touch(digest));
  VARVE_ASSIGN_OR_RETURN(const Store::LayerCommit commit,
                         Ingest({blob, diff_id}, source, *writer, fetcher, progress, cancel));
  VARVE_RETURN_IF_ERROR(RestoreLayer(store_, *writer, commit, chunks));
  progress({blob.digest, LayerProgress::State::kDone, blob.size_bytes, blob.size_bytes});
  return Ok();
}

Result<Store::LayerCommit> ImageInstaller::Ingest(const Layer& layer, const std::string& source, ChunkWriter& writer,
                                                  BlobFetcher& fetcher, const ProgressSink& progress,
                                                  const CancelToken& cancel) {
  // A blob with the layer's diff ID for its digest is the plain tar, whose SHA-256 the ingest compares.
  const auto check = layer.blob.digest == layer.diff_id ? Download::Check::kByTaker : Download::Check::kHere;
  Download download(layer.blob, check, fetcher, options_.queued_download_blocks, progress, cancel);
  VARVE_ASSIGN_OR_RETURN(Store::LayerCommit commit,
                         IngestLayer(store_, writer, download.bytes(), layer.diff_id, options_.ingest, cancel));
  commit.blob = layer.blob.digest;
  commit.blob_bytes = layer.blob.size_bytes;
  commit.media_type = layer.blob.media_type;
  commit.source = source;
  return commit;
}

}  // namespace varve
