#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

#include "cached/base/cancel.h"
#include "cached/base/clock.h"
#include "cached/base/mutex.h"
#include "cached/ingest/layer_ingest.h"
#include "cached/oci/image_config.h"
#include "cached/oci/manifest.h"
#include "cached/store/store.h"
#include "cached/transfer/blob_fetcher.h"

namespace varve {

// Lets one pull at a time ingest a layer, so that two images which share it do the work once. Thread-safe.
class LayerGate {
 public:
  class Pass {
   public:
    Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)), diff_id_(other.diff_id_) {}
    ~Pass();
    Pass& operator=(Pass&&) = delete;

   private:
    friend class LayerGate;
    Pass(LayerGate* gate, const Digest& diff_id) : gate_(gate), diff_id_(diff_id) {}

    LayerGate* gate_;  // null: moved from
    Digest diff_id_;
  };
  // Waits for whoever is at this layer now; kCancelled as soon as `cancel` is set.
  Result<Pass> Enter(const Digest& diff_id, const CancelToken& cancel) EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  CondVar left_;
  std::unordered_set<Digest> inside_ GUARDED_BY(mutex_);
};

struct LayerProgress {
  enum class State { kWaiting, kDownloading, kExists, kDone, kPushing, kMounted };
  Digest blob;
  State state = State::kWaiting;
  std::uint64_t done_bytes = 0;  // compressed
  std::uint64_t total_bytes = 0;
  std::string from = {};  // NOLINT(readability-redundant-member-init): of kMounted, the familiar repository
};
// Called from several threads.
using ProgressSink = std::function<void(const LayerProgress&)>;

struct InstallOptions {
  LayerIngestOptions ingest;
  std::size_t parallel_layers = 3;  // docker's number of downloads
  std::size_t queued_download_blocks = 8;
};

// The verbatim manifest and config of an image, parsed.
struct ImageDocuments {
  Bytes manifest_bytes;
  Digest manifest_digest;
  Manifest manifest;
  Bytes config_bytes;
  ImageConfig config;
  std::optional<Digest> index;  // that it was chosen from, if a registry has that

  // kDataLoss if the config is not the one that the manifest names; kInvalidArgument if layers and diff IDs do not
  // match.
  static Result<ImageDocuments> Parse(Bytes manifest, const std::string& content_type, Bytes config);
};

// What a pull and a load have in common: layers that are not here are fetched and ingested in parallel, then the image
// becomes visible under `name` in one commit. An error leaves no image, no name and no layer that was not verified.
class ImageInstaller {
 public:
  ImageInstaller(Store& store, LayerGate& gate, Clock& clock, const InstallOptions& options)
      : store_(store), gate_(gate), clock_(clock), options_(options) {}

  // The layers that Install would fetch now.
  Result<std::vector<Descriptor>> Missing(const ImageDocuments& image);

  // `source`: the repository, for the record. Errors name the layer.
  enum class Order { kParallel, kOneByOne };  // how `fetcher` can be asked
  Status Install(const ImageDocuments& image, const std::optional<std::string>& name, const std::string& source,
                 BlobFetcher& fetcher, const ProgressSink& progress, const CancelToken& cancel,
                 Order order = Order::kParallel);

  // The layers alone. No image needs them yet: that they stay is the caller's to see to, by whatever names their blobs.
  Status InstallLayersOnly(const ImageDocuments& image, const std::string& source, BlobFetcher& fetcher,
                           const CancelToken& cancel);

  // Takes in a layer that is here and damaged once more, and stores what of it cannot be read (RestoreLayer); `chunks`
  // are those that could not be.
  Status RefetchLayer(const Descriptor& blob, const Digest& diff_id, const std::string& source,
                      const std::unordered_set<Digest>& chunks, BlobFetcher& fetcher, const ProgressSink& progress,
                      const CancelToken& cancel);

 private:
  struct Layer {
    Descriptor blob;
    Digest diff_id;
  };
  static std::vector<Layer> LayersOf(const ImageDocuments& image);
  Status InstallLayers(std::span<const Layer> layers, std::size_t parallel, const std::string& source,
                       LeaseTable::Session& session, BlobFetcher& fetcher, const ProgressSink& progress,
                       const CancelToken& cancel);
  Status InstallLayer(const Layer& layer, const std::string& source, LeaseTable::Session& session, BlobFetcher& fetcher,
                      const ProgressSink& progress, const CancelToken& cancel);
  // All that CommitLayer wants.
  Result<Store::LayerCommit> Ingest(const Layer& layer, const std::string& source, ChunkWriter& writer,
                                    BlobFetcher& fetcher, const ProgressSink& progress, const CancelToken& cancel);
  Status NameSource(const Digest& blob, const std::string& source, LeaseTable::Session& session);
  Result<bool> Here(const Digest& diff_id, LeaseTable::Session& session);

  Store& store_;
  LayerGate& gate_;
  Clock& clock_;
  const InstallOptions options_;
};

}  // namespace varve
