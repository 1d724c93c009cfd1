#include "cached/transfer/push.h"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "cached/content/sha256.h"
#include "cached/oci/media_types.h"
#include "cached/store/images.h"
#include "cached/transfer/layer_tars.h"
#include "cached/transfer/pipe.h"

namespace varve {
namespace {

// The clients of the repositories that blobs came from, each made when it is needed first. Thread-safe.
class SourceClients {
 public:
  SourceClients(HttpTransport& transport, const PushHooks& hooks, const CancelToken& cancel)
      : transport_(transport), hooks_(hooks), cancel_(cancel) {}

  Result<RegistryClient*> Of(const Reference& repository) {
    Entry& entry = EntryOf(repository.Repository());
    std::call_once(entry.once, [&] { entry.client = Connect(repository); });
    if (!entry.client.ok()) return entry.client.error();
    return entry.client->get();
  }

 private:
  using Client = Result<std::unique_ptr<RegistryClient>>;
  struct Entry {
    std::once_flag once;
    Client client = Error(Code::kInternal, "not connected yet");
  };
  Entry& EntryOf(const std::string& repository) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return entries_[repository];
  }
  Client Connect(const Reference& repository) {
    VARVE_ASSIGN_OR_RETURN(RegistryOptions options, hooks_.access(repository));
    return RegistryClient::Create(transport_, repository, std::move(options), cancel_);
  }

  HttpTransport& transport_;
  const PushHooks& hooks_;
  const CancelToken& cancel_;
  Mutex mutex_;
  std::map<std::string, Entry> entries_ GUARDED_BY(mutex_);
};

class Push {
 public:
  Push(Store& store, HttpTransport& transport, const FoundImage& image, const Reference& destination,
       const PushOptions& options, const PushHooks& hooks, const CancelToken& cancel)
      : store_(store),
        transport_(transport),
        image_(image),
        destination_(destination),
        options_(options),
        hooks_(hooks),
        cancel_(cancel),
        session_(store.leases()),
        sources_(transport, hooks, cancel),
        pool_(std::max(1u, std::thread::hardware_concurrency()), LayerCompressor::kBlocksInFlight) {}

  Result<PushOutcome> Run();

 private:
  struct Layer {
    Descriptor blob;
    Digest diff_id;
  };
  // A blob that holds a layer, and where it came from.
  struct Original {
    Descriptor blob;
    std::optional<Reference> source;
  };

  Status PushLayers(std::span<const Layer> layers);
  Result<Descriptor> PushLayer(const Layer& layer, const std::vector<Original>& originals);
  Result<std::vector<std::vector<Original>>> OriginalsOf(std::span<const Layer> layers) const;
  // Whether the repository has the original now; `why` says what was in the way.
  Result<bool> BringOriginal(const Layer& layer, const Original& original, std::string& why);
  Result<bool> StreamThrough(const Layer& layer, const Descriptor& blob, const Reference& repository, std::string& why);
  Result<Descriptor> Compress(const Layer& layer, const std::string& why);
  Status PushConfig(const Descriptor& config, const Bytes& bytes);
  void Note(const Layer& layer, const std::string& what) EXCLUDES(mutex_);
  // Its uncompressed tar.
  BlobSender::Produce TarOf(const Layer& layer);

  Store& store_;
  HttpTransport& transport_;
  const FoundImage& image_;
  const Reference& destination_;
  const PushOptions& options_;
  const PushHooks& hooks_;
  const CancelToken& cancel_;
  LeaseTable::Session session_;
  SourceClients sources_;
  ThreadPool pool_;
  std::unique_ptr<BlobSender> sender_;  // from the beginning of Run
  Mutex mutex_;
  std::map<Digest, Descriptor> replaced_ GUARDED_BY(mutex_);                    // by the digest of the original blob
  std::map<std::string, std::vector<Digest>> replacements_ GUARDED_BY(mutex_);  // what was done and why → to which
};

Result<PushOutcome> Push::Run() {
  VARVE_ASSIGN_OR_RETURN(const auto leased, FindLeased(store_, image_.manifest_digest, Leased::kLayers, session_));
  if (!leased) return Error(Code::kNotFound, "the image was removed meanwhile");
  VARVE_ASSIGN_OR_RETURN(Bytes manifest_bytes, ReadManifest(store_, image_.manifest_digest));
  VARVE_ASSIGN_OR_RETURN(const Bytes config, ReadConfig(store_, image_.manifest_digest));
  VARVE_ASSIGN_OR_RETURN(Manifest manifest, ParseManifest(manifest_bytes, ""));
  VARVE_ASSIGN_OR_RETURN(BlobSender sender, BlobSender::Open(transport_, destination_, hooks_, cancel_));
  sender_ = std::make_unique<BlobSender>(std::move(sender));

  std::vector<Layer> layers;
  for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
    const Descriptor& blob = manifest.layers[i];
    const auto same = [&](const Layer& other) { return other.blob.digest == blob.digest; };
    if (!IsForeignLayer(blob.media_type) && std::ranges::none_of(layers, same))
      layers.push_back({blob, image_.diff_ids.at(i)});
  }
  VARVE_RETURN_IF_ERROR(PushLayers(layers));
  VARVE_RETURN_IF_ERROR(PushConfig(manifest.config, config));

  PushOutcome outcome;
  std::map<std::size_t, Descriptor> changes;
  {
    MutexLock lock(mutex_);
    for (const auto& [what, replaced] : replacements_) {
      const std::string noun =
          replaced.size() == 1 ? "layer " + replaced.front().ToString() : fmt::format("{} layers", replaced.size());
      outcome.notes.push_back(fmt::format("{}: {}", noun, what));
    }
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
      const auto found = replaced_.find(manifest.layers[i].digest);
      if (found != replaced_.end()) changes.emplace(i, found->second);
    }
  }
  if (!changes.empty()) {
    VARVE_ASSIGN_OR_RETURN(manifest_bytes, ReplaceLayers(manifest_bytes, changes));
    VARVE_ASSIGN_OR_RETURN(manifest, ParseManifest(manifest_bytes, ""));
  }
  outcome.changed = !changes.empty();
  outcome.manifest_digest = Sha256Of(manifest_bytes);
  outcome.manifest_bytes = manifest_bytes.size();
  VARVE_RETURN_IF_ERROR(sender_->PutManifest(manifest_bytes, manifest.media_type));
  return outcome;
}

Status Push::PushLayers(std::span<const Layer> layers) {
  for (const Layer& layer : layers)
    hooks_.progress({layer.blob.digest, LayerProgress::State::kWaiting, 0, layer.blob.size_bytes});
  VARVE_ASSIGN_OR_RETURN(const auto originals, OriginalsOf(layers));
  return EachInParallel(layers.size(), options_.parallel_layers, [&](std::size_t i) -> Status {
    const Digest& blob = layers[i].blob.digest;
    VARVE_ASSIGN_OR_RETURN(Descriptor pushed, PushLayer(layers[i], originals[i]).In("layer " + blob.ToString()));
    if (pushed.digest == blob) return Ok();
    MutexLock lock(mutex_);
    replaced_.emplace(blob, std::move(pushed));
    return Ok();
  });
}

// Of each layer the manifest's own blob first, then those that earlier pushes have made of it.
Result<std::vector<std::vector<Push::Original>>> Push::OriginalsOf(std::span<const Layer> layers) const {
  std::vector<std::vector<Original>> originals;
  for (const Layer& layer : layers) originals.push_back({{layer.blob, std::nullopt}});
  const std::string_view suffix = options_.compression.format == LayerFormat::kGzip ? "gzip" : "zstd";
  VARVE_RETURN_IF_ERROR(
      store_.database().Scan(Column::kBlob, [&](std::string_view key, std::string_view value) -> Status {
        store::Blob record;
        if (!record.ParseFromArray(value.data(), static_cast<int>(value.size()))) return Ok();
        const auto source = Reference::Parse(record.source());
        if (!source.ok()) return Ok();
        VARVE_ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(AsBytes(key)));
        for (std::size_t i = 0; i < layers.size(); ++i) {
          if (record.diff_id() != KeyOf(layers[i].diff_id)) continue;
          if (digest == layers[i].blob.digest) {
            originals[i].front().source = *source;
          } else if (record.media_type().ends_with(suffix)) {
            originals[i].push_back({DescriptorOf(record.media_type(), digest, record.size_bytes()), *source});
          }
        }
        return Ok();
      }));
  return originals;
}

Result<Descriptor> Push::PushLayer(const Layer& layer, const std::vector<Original>& originals) {
  VARVE_RETURN_IF_ERROR(cancel_.Check());
  std::string why;  // of the manifest's own blob
  for (const Original& original : originals) {
    std::string trouble;
    VARVE_ASSIGN_OR_RETURN(const bool there, BringOriginal(layer, original, trouble));
    if (why.empty()) why = trouble;
    if (!there) continue;
    if (&original != &originals.front()) Note(layer, "replaced by what was compressed here before: " + why);
    return original.blob;
  }
  return Compress(layer, why);
}

Result<bool> Push::BringOriginal(const Layer& layer, const Original& original, std::string& why) {
  const Digest& digest = original.blob.digest;
  VARVE_ASSIGN_OR_RETURN(const bool there, sender_->Find(digest, original.source, layer.blob));
  if (there) return true;
  why = "the original blob came from no registry, and was not kept";
  if (!original.source) return false;
  if (digest == layer.diff_id) {  // it is not compressed
    VARVE_RETURN_IF_ERROR(sender_->Upload(digest, layer.blob, TarOf(layer)));
    return true;
  }
  const Reference& source = *original.source;
  if (source.Repository() != destination_.Repository()) return StreamThrough(layer, original.blob, source, why);
  why = fmt::format("{} has the original blob no more", destination_.Repository());
  return false;
}

Result<bool> Push::StreamThrough(const Layer& layer, const Descriptor& blob, const Reference& repository,
                                 std::string& why) {
  const std::string source = repository.Repository();
  const auto client = sources_.Of(repository);
  if (!client.ok()) {
    why = fmt::format("the original blob cannot be fetched from {}: {}", source, client.error().message());
    return false;
  }
  std::atomic<bool> fetch_failed = false;
  const auto uploaded = sender_->Upload(blob.digest, layer.blob, [&](const BlobFetcher::Sink& sink) {
    Status fetched = (*client)->FetchBlob(blob, sink, cancel_);
    if (!fetched.ok() && fetched.error().code() != Code::kCancelled) fetch_failed = true;
    return fetched;
  });
  if (uploaded.ok()) return true;
  if (!fetch_failed && uploaded.error().code() != Code::kDataLoss) return uploaded.error();
  why = fmt::format("the original blob cannot be fetched from {}: {}", source, uploaded.error().message());
  return false;
}

Result<Descriptor> Push::Compress(const Layer& layer, const std::string& why) {
  VARVE_ASSIGN_OR_RETURN(const Descriptor blob,
                         sender_->Compress(options_.compression, pool_, layer.blob, TarOf(layer)));
  // Both digests were computed here: the next push, and a repair, can go by it.
  store::Blob record;
  record.set_size_bytes(blob.size_bytes);
  record.set_media_type(blob.media_type);
  record.set_diff_id(std::string(KeyOf(layer.diff_id)));
  record.set_source(destination_.Repository());
  // A collection that has judged an older record must not take this one.
  static_cast<void>(session_.Touch(blob.digest));
  JournaledChanges changes;
  changes.Put(Column::kBlob, KeyOf(blob.digest), record.SerializeAsString());
  VARVE_RETURN_IF_ERROR(store_.CommitChanges(std::move(changes)));
  if (blob.digest != layer.blob.digest) Note(layer, "compressed anew: " + why);
  return blob;
}

void Push::Note(const Layer& layer, const std::string& what) {
  MutexLock lock(mutex_);
  replacements_[what].push_back(layer.blob.digest);
}

// Docker tells no progress of it.
Status Push::PushConfig(const Descriptor& config, const Bytes& bytes) {
  VARVE_ASSIGN_OR_RETURN(const bool exists, sender_->client().HasBlob(config.digest, cancel_));
  if (exists) return Ok();
  BlobUpload upload;
  upload.expected = config.digest;
  upload.open = [&] { return PipeFrom([&](const auto& sink) { return sink(bytes); }); };
  VARVE_RETURN_IF_ERROR(sender_->client().UploadBlob(upload, cancel_).In("config"));
  return Ok();
}

BlobSender::Produce Push::TarOf(const Layer& layer) {
  return [this, &layer](const BlobFetcher::Sink& sink) {
    return ReadLayerTars(
        store_, std::span(&layer.diff_id, 1), [&](std::size_t, ByteSpan piece) { return sink(piece); }, cancel_);
  };
}

}  // namespace

Result<PushOutcome> PushImage(Store& store, HttpTransport& transport, const FoundImage& image,
                              const Reference& destination, const PushOptions& options, const PushHooks& hooks,
                              const CancelToken& cancel) {
  return Push(store, transport, image, destination, options, hooks, cancel).Run();
}

}  // namespace varve
