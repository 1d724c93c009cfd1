#include "cached/distribution/layer_intake.h"

#include <algorithm>

#include "cached/base/log.h"
#include "cached/oci/media_types.h"
#include "cached/transfer/registry_fetcher.h"

namespace varve {
namespace {

constexpr std::size_t kPieceBytes = 256 << 10;
constexpr std::chrono::milliseconds kAskInterval{100};  // how often whoever waits is asked whether to go on

// The blobs of one repository here.
class HostedFetcher final : public BlobFetcher {
 public:
  HostedFetcher(RegistryHost& registry, std::string repository)
      : registry_(registry), repository_(std::move(repository)) {}

  Status Fetch(const Descriptor& blob, const Sink& sink, const CancelToken& cancel) override {
    VARVE_ASSIGN_OR_RETURN(const RegistryHost::Blob found,
                           registry_.GetBlob(repository_, blob.digest, RegistryHost::Asker::kReader));
    Bytes piece(kPieceBytes);
    for (std::uint64_t at = 0; at < found.size_bytes;) {
      VARVE_RETURN_IF_ERROR(cancel.Check());
      VARVE_ASSIGN_OR_RETURN(const std::size_t read, found.file->ReadAt(at, piece));
      if (read == 0) return Error(Code::kDataLoss, blob.digest.ToString() + " is shorter on disk than it was");
      VARVE_RETURN_IF_ERROR(sink(ByteSpan(piece).first(read)));
      at += read;
    }
    return Ok();
  }

 private:
  RegistryHost& registry_;
  const std::string repository_;
};

// Of what a registry is given, only this has layers to mount; a builder's cache or an artifact may have tars as well,
// but no config that says what they are.
bool IsImage(const References& references) {
  return IsManifest(references.media_type) && references.config.has_value() &&
         (references.config->media_type == kOciConfigType || references.config->media_type == kDockerConfigType) &&
         std::ranges::all_of(references.layers, [](const Descriptor& layer) {
           return IsLayer(layer.media_type) && !IsForeignLayer(layer.media_type);
         });
}

}  // namespace

LayerIntake::LayerIntake(Store& store, RegistryHost& registry, ImageInstaller& installer)
    : store_(store), registry_(registry), installer_(installer) {
  thread_ = std::thread([this] { Run(); });
}

LayerIntake::~LayerIntake() {
  cancel_.Cancel();
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void LayerIntake::Add(const std::string& repository, const Digest& manifest) {
  const MutexLock lock(mutex_);
  if (waiting_.size() < kQueueMax) {
    waiting_.emplace_back(repository, manifest);
  } else {
    look_through_all_ = true;
  }
  changed_.NotifyAll();
}

std::size_t LayerIntake::waiting() {
  const MutexLock lock(mutex_);
  return waiting_.size();
}

Status LayerIntake::WaitUntilIdle(const Store::KeepWaiting& keep_waiting) {
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (!busy_ && waiting_.empty() && !look_through_all_) return Ok();
      changed_.WaitFor(lock, kAskInterval);
    }
    VARVE_RETURN_IF_ERROR(keep_waiting());
  }
}

std::optional<LayerIntake::Item> LayerIntake::Next() {
  MutexLock lock(mutex_);
  for (;;) {
    if (stopping_) return std::nullopt;
    if (!waiting_.empty()) {
      Item item = std::move(waiting_.front());
      waiting_.pop_front();
      busy_ = true;
      return item;
    }
    if (look_through_all_) {
      look_through_all_ = false;
      busy_ = true;
      return Item();
    }
    busy_ = false;
    changed_.NotifyAll();
    changed_.Wait(lock);
  }
}

void LayerIntake::Run() {
  while (const std::optional<Item> item = Next()) {
    if (item->first.empty()) {
      LookThroughAll();
    } else {
      TryTakeIn(*item);
    }
  }
}

// What is chunked already costs a look at its records.
void LayerIntake::LookThroughAll() {
  const Status looked = registry_.EachManifest([&](const std::string& repository, const Digest& manifest) -> Status {
    VARVE_RETURN_IF_ERROR(cancel_.Check());
    TryTakeIn({repository, manifest});
    return Ok();
  });
  if (!looked.ok() && !cancel_.cancelled()) LogWarning("pushed images: {}", looked.error().message());
}

void LayerIntake::TryTakeIn(const Item& item) {
  const Status taken = TakeIn(item);
  if (taken.ok() || cancel_.cancelled()) return;
  LogWarning("{}: the layers of manifest {} are kept as they were pushed, but not as chunks: {}", item.first,
             item.second.ToString(), taken.error().message());
}

Status LayerIntake::TakeIn(const Item& item) {
  const auto& [repository, digest] = item;
  auto stored = registry_.GetManifest(repository, digest.ToString());
  if (!stored.ok() && stored.error().code() == Code::kNotFound) return Ok();  // deleted meanwhile
  if (!stored.ok()) return stored.error();
  VARVE_ASSIGN_OR_RETURN(const References references,
                         ParseReferences(*stored->bytes, stored->media_type, registry_.options().manifest_bytes_max));
  if (!references.config || !IsImage(references) || references.layers.empty()) return Ok();
  bool all_known = true;
  for (const Descriptor& layer : references.layers) {
    VARVE_ASSIGN_OR_RETURN(const auto blob, store_.FindBlob(layer.digest));
    all_known &= blob.has_value();
  }
  if (all_known) return Ok();
  HostedFetcher fetcher(registry_, repository);
  VARVE_ASSIGN_OR_RETURN(Bytes config, FetchConfig(fetcher, *references.config, cancel_));
  VARVE_ASSIGN_OR_RETURN(const ImageDocuments image,
                         ImageDocuments::Parse(*stored->bytes, stored->media_type, std::move(config)));
  return installer_.InstallLayersOnly(image, "", fetcher, cancel_);
}

}  // namespace varve
