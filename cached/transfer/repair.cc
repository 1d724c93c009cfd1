#include "cached/transfer/repair.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "cached/content/sha256.h"
#include "cached/store/repair.h"
#include "cached/transfer/registry_fetcher.h"

namespace varve {
namespace {

using Object = Damage::Object;

constexpr std::string_view kNoRegistry =
    "it came from an OCI layout, which is no registry; run varve pull oci:DIR[:TAG] of that layout, then this again";

class Repair {
 public:
  Repair(Store& store, ImageInstaller& installer, HttpTransport& transport, const RepairHooks& hooks,
         const CancelToken& cancel)
      : store_(store), installer_(installer), transport_(transport), hooks_(hooks), cancel_(cancel) {}

  Result<std::size_t> Run() {
    VARVE_ASSIGN_OR_RETURN(damage_, VerifyStore(store_, hooks_.verifying));
    for (const Damage& damage : damage_) hooks_.damaged(damage);
    for (const Damage& damage : damage_) Gather(damage);
    if (damage_.empty()) return std::size_t{0};
    RepairPackHeaders();
    VARVE_RETURN_IF_ERROR(RepairLayers());
    RepairImages();
    VARVE_RETURN_IF_ERROR(RepairManifests());
    RepairFiles();
    VARVE_RETURN_IF_ERROR(ForgetChunks(store_, std::vector<Digest>(chunks_.begin(), chunks_.end())));
    VARVE_RETURN_IF_ERROR(RepairPacks());
    return left_;
  }

 private:
  struct LayerDamage {
    std::set<Digest> chunks;
    std::vector<Damage::Lost> lost;
    std::string how;  // the last attempt, for the report
  };

  void Gather(const Damage& damage);
  void RepairPackHeaders();
  Status RepairLayers();
  Status RepairLayer(const Digest& diff_id, LayerDamage& layer);
  Status FetchLayer(const Digest& diff_id, const Digest& blob, const store::Blob& record);
  bool IsDamaged(const LayerDamage& layer) const;
  void RepairImages();
  Status RepairManifests();
  Status RepairManifest(const Digest& manifest_digest, std::string& how);
  Status FetchManifest(const store::Manifest& record, const Digest& digest, RegistryClient& client);
  Result<std::set<std::string>> SourcesOf(const store::Manifest& record, const Digest& digest) const;
  void RepairFiles();
  Status RepairPacks();
  Result<RegistryClient*> ClientOf(const std::string& source);
  void Report(const std::string& object, const Status& status, const std::string& how);

  Store& store_;
  ImageInstaller& installer_;
  HttpTransport& transport_;
  const RepairHooks& hooks_;
  const CancelToken& cancel_;
  std::vector<Damage> damage_;
  std::unordered_set<Digest> chunks_;
  std::map<Digest, LayerDamage> layers_;
  std::set<Digest> images_;
  std::map<Digest, std::vector<Damage::Lost>> manifests_;
  std::vector<Damage::Lost> files_;
  std::map<std::string, Result<std::unique_ptr<RegistryClient>>> clients_;  // an error once is an error for all
  std::size_t left_ = 0;
};

void Repair::Report(const std::string& object, const Status& status, const std::string& how) {
  if (!status.ok()) ++left_;
  hooks_.done({object, status.ok(), status.ok() ? how : status.error().message()});
}

void Repair::Gather(const Damage& damage) {
  chunks_.insert(damage.chunks.begin(), damage.chunks.end());
  for (const Digest& diff_id : damage.layers)
    layers_[diff_id].chunks.insert(damage.chunks.begin(), damage.chunks.end());
  for (const Damage::Lost& lost : damage.lost) {
    switch (lost.object) {
      case Object::kLayerIndex:
      case Object::kTarRecipe:
        layers_[lost.of].lost.push_back(lost);
        break;
      case Object::kImageIndex:
        images_.insert(lost.of);
        break;
      case Object::kManifest:
      case Object::kConfig:
        manifests_[lost.of].push_back(lost);
        break;
      case Object::kLayerFile:
      case Object::kImageFile:
      case Object::kLocators:
        files_.push_back(lost);
        break;
      case Object::kOriginal:
        Report(lost.ToString(), Error(Code::kDataLoss, "counts as absent now: push or pull it through again"), "");
        break;
    }
  }
}

// First of all: a pack that opens again may have lost nothing else.
void Repair::RepairPackHeaders() {
  for (const Damage& damage : damage_) {
    if (damage.pack.number == 0 || damage.offset_bytes != 0) continue;
    RestorePackHeader(store_, damage.pack).IgnoreError("what a pack that is gone held is fetched again");
  }
}

bool Repair::IsDamaged(const LayerDamage& layer) const {
  return std::ranges::any_of(layer.lost, [&](const Damage::Lost& lost) { return IsLost(store_, lost); }) ||
         std::ranges::any_of(layer.chunks, [&](const Digest& chunk) { return !store_.ReadChunk(chunk).ok(); });
}

// Layers share chunks: one that comes again may heal others, so that what is left is known only after all were tried.
Status Repair::RepairLayers() {
  std::map<Digest, Status> tried;
  for (auto& [diff_id, layer] : layers_) {
    VARVE_RETURN_IF_ERROR(cancel_.Check());
    tried.emplace(diff_id, RepairLayer(diff_id, layer));
  }
  for (auto& [diff_id, layer] : layers_) {
    const Status& status = tried.at(diff_id);
    const bool damaged = IsDamaged(layer);
    if (!damaged) {
      LeaseTable::Session session(store_.leases());
      static_cast<void>(session.Touch(diff_id));
      session.SetSound();
    }
    const Status outcome = !damaged      ? Ok()
                           : status.ok() ? Error(Code::kDataLoss, "its blob does not hold what is lost")
                                         : status;
    Report("layer " + diff_id.ToString(), outcome,
           status.ok() && !layer.how.empty() ? layer.how : "made good with another object");
  }
  return Ok();
}

Status Repair::RepairLayer(const Digest& diff_id, LayerDamage& layer) {
  for (const Damage::Lost& lost : layer.lost) {
    if (lost.object != Object::kLayerIndex || !IsLost(store_, lost)) continue;
    if (RestoreLayerIndex(store_, diff_id).ok()) layer.how = "its index is stored anew from the file";
  }
  if (!IsDamaged(layer)) return Ok();
  Status outcome = Error(Code::kNotFound, "no blob is known that holds it; remove its images and pull them again");
  std::vector<std::pair<Digest, store::Blob>> blobs;
  VARVE_RETURN_IF_ERROR(
      store_.database().Scan(Column::kBlob, [&](std::string_view key, std::string_view value) -> Status {
        store::Blob blob;
        if (!blob.ParseFromArray(value.data(), static_cast<int>(value.size())) || blob.diff_id() != KeyOf(diff_id))
          return Ok();
        VARVE_ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(AsBytes(key)));
        blobs.emplace_back(digest, std::move(blob));
        return Ok();
      }));
  // Those of a registry last: their error says more.
  std::ranges::sort(blobs, {}, [](const auto& blob) { return std::pair(!blob.second.source().empty(), blob.first); });
  for (const auto& [digest, blob] : blobs) {
    outcome = FetchLayer(diff_id, digest, blob);
    if (!outcome.ok()) continue;
    layer.how = "fetched again from " + blob.source();
    break;
  }
  return outcome;
}

Status Repair::FetchLayer(const Digest& diff_id, const Digest& blob, const store::Blob& record) {
  const std::string name = "blob " + blob.ToString();
  if (record.source().empty()) return Error(Code::kFailedPrecondition, name + ": " + std::string(kNoRegistry));
  VARVE_ASSIGN_OR_RETURN(RegistryClient* const client, ClientOf(record.source()));
  RegistryFetcher fetcher(*client);
  Descriptor descriptor;
  descriptor.digest = blob;
  descriptor.media_type = record.media_type();
  descriptor.size_bytes = record.size_bytes();
  return installer_.RefetchLayer(descriptor, diff_id, record.source(), chunks_, fetcher, hooks_.fetching, cancel_)
      .In(fmt::format("{} from {}", name, record.source()));
}

void Repair::RepairImages() {
  for (const Digest& chain_id : images_) {
    const Status restored = RestoreImageIndex(store_, ChainId{chain_id}, cancel_);
    Report("image index of chain " + chain_id.ToString(), restored, "its layers are merged again");
  }
}

Status Repair::RepairManifests() {
  for (const auto& [digest, lost] : manifests_) {
    VARVE_RETURN_IF_ERROR(cancel_.Check());
    std::string how = "made good with another object";
    const bool damaged = std::ranges::any_of(lost, [&](const Damage::Lost& one) { return IsLost(store_, one); });
    const Status restored = damaged ? RepairManifest(digest, how) : Ok();
    for (const Damage::Lost& one : lost) Report(one.ToString(), restored, how);
  }
  return Ok();
}

Status Repair::RepairManifest(const Digest& manifest_digest, std::string& how) {
  VARVE_ASSIGN_OR_RETURN(const auto record, store_.FindManifest(manifest_digest));
  how = "its image was removed meanwhile";
  if (!record) return Ok();
  VARVE_ASSIGN_OR_RETURN(const auto sources, SourcesOf(*record, manifest_digest));
  Status outcome = Error(Code::kFailedPrecondition, std::string(kNoRegistry));
  for (const std::string& source : sources) {
    const auto client = ClientOf(source);
    outcome =
        client.ok() ? FetchManifest(*record, manifest_digest, **client).In("from " + source) : Status(client.error());
    how = "fetched again from " + source;
    if (outcome.ok()) break;
  }
  return outcome;
}

Status Repair::FetchManifest(const store::Manifest& record, const Digest& digest, RegistryClient& client) {
  auto manifest = store_.ReadParts(record.manifest());
  std::string media_type;
  if (!manifest.ok()) {
    VARVE_ASSIGN_OR_RETURN(FetchedManifest fetched, client.GetManifest(digest, cancel_));
    manifest = std::move(fetched.bytes);
    media_type = fetched.media_type;
  }
  auto config = store_.ReadParts(record.config());
  if (!config.ok()) {
    VARVE_ASSIGN_OR_RETURN(const Manifest parsed, ParseManifest(*manifest, media_type));
    RegistryFetcher fetcher(client);
    config = FetchConfig(fetcher, parsed.config, cancel_);
    if (!config.ok()) return config.error();
  }
  // Compares the config with the manifest, and that is what the digest names.
  VARVE_ASSIGN_OR_RETURN(const ImageDocuments image,
                         ImageDocuments::Parse(std::move(*manifest), media_type, std::move(*config)));
  return RestoreManifest(store_, digest, image.manifest_bytes, image.config_bytes);
}

// The repositories that an image may be asked for; none if none of its layers came from a registry.
Result<std::set<std::string>> Repair::SourcesOf(const store::Manifest& record, const Digest& digest) const {
  std::set<std::string> sources;
  VARVE_RETURN_IF_ERROR(store_.database().Scan(Column::kBlob, [&](std::string_view, std::string_view value) -> Status {
    store::Blob blob;
    if (blob.ParseFromArray(value.data(), static_cast<int>(value.size())) && !blob.source().empty() &&
        std::ranges::find(record.diff_ids(), blob.diff_id()) != record.diff_ids().end()) {
      sources.insert(blob.source());
    }
    return Ok();
  }));
  if (sources.empty()) return sources;
  VARVE_RETURN_IF_ERROR(
      store_.database().Scan(Column::kRef, [&](std::string_view key, std::string_view value) -> Status {
        store::Ref ref;
        const auto name = Reference::Parse(key);
        if (ref.ParseFromArray(value.data(), static_cast<int>(value.size())) && name.ok() &&
            ref.manifest_digest() == KeyOf(digest)) {
          sources.insert(name->Repository());
        }
        return Ok();
      }));
  return sources;
}

void Repair::RepairFiles() {
  for (const Damage::Lost& lost : files_) {
    const bool locators = lost.object == Object::kLocators;
    Report((locators ? "locator table of " : "index file of ") + lost.ToString(), RestoreFile(store_, lost),
           locators ? "set from the placements" : "written anew from the packs");
  }
}

// Packs in which damage is left behind that nobody needs.
Status Repair::RepairPacks() {
  std::set<PackId> packs;
  std::set<PackId> needed;
  for (const Damage& damage : damage_) {
    if (damage.pack.number == 0) continue;
    packs.insert(damage.pack);
    // Whose index still names a chunk or record there, that one is needed.
    if (std::ranges::any_of(damage.lost, [&](const Damage::Lost& lost) { return IsLost(store_, lost); })) {
      needed.insert(damage.pack);
    }
    for (const Digest& chunk : damage.chunks) {
      VARVE_ASSIGN_OR_RETURN(const auto placement,
                             GetRecord<store::Placement>(store_.database(), Column::kChunk, KeyOf(chunk)));
      if (placement && !store_.ReadChunk(chunk).ok()) needed.insert(damage.pack);
    }
  }
  for (const PackId pack : needed) packs.erase(pack);  // their damage is reported with what needs it
  if (packs.empty()) return Ok();
  return hooks_.alone([&]() -> Status {
    const std::vector<PackId> rewritten(packs.begin(), packs.end());
    VARVE_ASSIGN_OR_RETURN(const std::vector<PackId> stay, RetirePacks(store_, rewritten, hooks_.close_packs));
    for (const PackId pack : rewritten) {
      const bool stays = std::ranges::find(stay, pack) != stay.end();
      Report(fmt::format("pack {:06}", pack.number),
             stays ? Error(Code::kUnavailable, "something writes into it now; run this again later") : Ok(),
             "rewritten without what is damaged");
    }
    return Ok();
  });
}

Result<RegistryClient*> Repair::ClientOf(const std::string& source) {
  auto found = clients_.find(source);
  if (found == clients_.end()) {
    const auto connect = [&]() -> Result<std::unique_ptr<RegistryClient>> {
      VARVE_ASSIGN_OR_RETURN(const Reference reference, Reference::Parse(source));
      VARVE_ASSIGN_OR_RETURN(RegistryOptions options, hooks_.access(reference));
      return RegistryClient::Create(transport_, reference, std::move(options), cancel_);
    };
    found = clients_.emplace(source, connect()).first;
  }
  if (!found->second.ok()) return found->second.error().In(source);
  return found->second->get();
}

}  // namespace

Result<std::size_t> RepairStore(Store& store, ImageInstaller& installer, HttpTransport& transport,
                                const RepairHooks& hooks, const CancelToken& cancel) {
  return Repair(store, installer, transport, hooks, cancel).Run();
}

}  // namespace varve
