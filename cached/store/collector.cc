// Mark and sweep over a store that is in use.
//
//   1. Images go: those without a name, all that nobody uses, or the least recently used. Their manifests and names are
//      erased.
//   2. Links, originals and files of repositories that nothing needs go (unneeded_originals.h).
//   3. A journal checkpoint makes older journals void.
//   4. Mark: what the remaining manifests, served images, open sessions and the manifests of repositories need: image
//      indexes, layers, their chunks.
//   5. Image indexes, layers and blobs that were not marked are erased, and the uses of images that are gone; what was
//      looked up since the mark is marked now.
//   6. Packs with enough dead bytes are rewritten (pack_rewriter.h), wholly dead ones are dropped.
//
// Nobody is stopped. A chunk or layer that is looked up after the mark began is kept by the write barrier; one that the
// collector has condemned is a miss from that moment on and is written anew (lease_table.h); and each erasure applies
// only if the record is still the one that was judged (Committer::Move). Packs that are leased, or hold frames which no
// commit has made durable, are left out.
//
// Cost: marked chunks are kept as eight bytes of their digest, sorted: 8 MB a million. Two digests that share them keep
// each other's garbage, never lose anything. The frames of packs that are rewritten are read and written once.

#include "cached/store/collector.h"

#include <algorithm>
#include <unordered_set>

#include "cached/base/log.h"
#include "cached/store/eviction.h"
#include "cached/store/pack_rewriter.h"
#include "cached/store/repositories.h"
#include "cached/store/unneeded_originals.h"

namespace varve {
namespace {

// Packs that are rewritten in one commit: bounds the memory for their placements.
constexpr std::size_t kPacksPerRewrite = 8;

class Collection {
 public:
  Collection(Store& store, const CollectOptions& options)
      : store_(store), options_(options), held_(store.leases().BeginCollection()) {
    std::ranges::sort(held_);
  }
  ~Collection() { store_.leases().EndCollection(); }

  Result<CollectOutcome> Run() {
    VARVE_RETURN_IF_ERROR(EraseImages());
    VARVE_ASSIGN_OR_RETURN(outcome_.originals_erased, EraseUnneededOriginals(store_, options_));
    VARVE_ASSIGN_OR_RETURN(const std::uint64_t journal, store_.CheckpointJournal());
    VARVE_RETURN_IF_ERROR(Mark());
    VARVE_RETURN_IF_ERROR(EraseRecords());
    VARVE_RETURN_IF_ERROR(RewritePacks(journal));
    VARVE_RETURN_IF_ERROR(store_.index_files().Sweep(
        IndexFiles::Tables::kKeep, IndexFiles::Moment::kServing,
        [this](const Digest& name) { return store_.leases().Condemn(std::span(&name, 1)).empty(); }));
    VARVE_RETURN_IF_ERROR(store_.database().Compact());
    return std::move(outcome_);
  }

 private:
  using Names = std::unordered_map<std::string, std::vector<std::pair<std::string, std::string>>>;
  // An image, and what decides whether it goes.
  struct Candidate {
    std::string key;  // of its manifest's record
    std::string value;
    store::Manifest manifest;
    Names::mapped_type names;         // its references and their records
    std::chrono::nanoseconds used{};  // since 1970
    bool stays = false;
  };
  Result<Names> ReadNames() const;  // by the manifest that they name
  Result<std::vector<Candidate>> ReadImages();
  Status KeepMostRecent(std::vector<Candidate>& images) const;
  Status EraseImages();
  Status Mark();
  Status MarkLayer(const Digest& diff_id);
  std::string OwnerOf(const Digest& diff_id);
  Status MarkLayersOfSurvivors(const Committer::Batch& condemned);
  Status MarkChunksOfSurvivors();
  Status EraseRecords();
  Status EraseUnmarked(Column column, const std::unordered_set<Digest>& marked, Committer::Batch& batch);
  Status FindFrames();
  Result<std::vector<PackId>> ChoosePacks();
  Status RewritePacks(std::uint64_t first_journal);
  bool ChunkIsLive(std::string_view key) const;
  bool IsHeld(const Digest& digest) const { return std::ranges::binary_search(held_, LeaseTable::Prefix(digest)); }

  Store& store_;
  const CollectOptions& options_;
  CollectOutcome outcome_;
  std::vector<std::uint64_t> held_;  // by open sessions: LeaseTable::Prefix, sorted
  std::unordered_set<Digest> layers_;
  std::unordered_set<Digest> images_;
  std::vector<std::uint64_t> chunks_;  // first eight bytes of each live chunk's digest, sorted
  LiveFrames frames_;
};

template <class Record>
Result<Record> Parse(std::string_view value) {
  Record record;
  if (!record.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
    return Error(Code::kDataLoss, "a record of the index does not parse; run: varve store rebuild-index");
  }
  return record;
}

Result<Collection::Names> Collection::ReadNames() const {
  Names names;
  VARVE_RETURN_IF_ERROR(
      store_.database().Scan(Column::kRef, [&](std::string_view key, std::string_view value) -> Status {
        VARVE_ASSIGN_OR_RETURN(const store::Ref ref, Parse<store::Ref>(value));
        names[ref.manifest_digest()].emplace_back(key, value);
        return Ok();
      }));
  return names;
}

Result<std::vector<Collection::Candidate>> Collection::ReadImages() {
  std::unordered_set<std::string> in_use;
  for (const ChainId& chain_id : options_.in_use) in_use.emplace(KeyOf(chain_id.digest));
  std::unordered_set<std::string> spared;
  for (const Digest& manifest : options_.spared) spared.emplace(KeyOf(manifest));
  VARVE_ASSIGN_OR_RETURN(Names names, ReadNames());
  std::vector<Candidate> images;
  VARVE_RETURN_IF_ERROR(
      store_.database().Scan(Column::kManifest, [&](std::string_view key, std::string_view value) -> Status {
        Candidate image;
        image.key = key;
        image.value = value;
        VARVE_ASSIGN_OR_RETURN(image.manifest, Parse<store::Manifest>(value));
        image.names = names[image.key];
        VARVE_ASSIGN_OR_RETURN(const Digest chain_id, Digest::FromBytes(AsBytes(image.manifest.chain_id())));
        const bool being_pulled = IsHeld(chain_id);
        image.stays = being_pulled || in_use.contains(image.manifest.chain_id()) || spared.contains(image.key);
        VARVE_ASSIGN_OR_RETURN(const auto use, GetRecord<store::Use>(store_.database(), Column::kUse, key));
        image.used = use ? std::chrono::nanoseconds(use->used_unix_nanoseconds())
                         : std::chrono::nanoseconds(std::chrono::seconds(image.manifest.pulled_unix()));
        images.push_back(std::move(image));
        return Ok();
      }));
  return images;
}

// The images that may go and do not fit into the budget, beside those that stay.
Status Collection::KeepMostRecent(std::vector<Candidate>& images) const {
  std::ranges::sort(images, std::greater(), [](const Candidate& image) { return std::pair(image.stays, image.used); });
  std::vector<store::Manifest> manifests;
  manifests.reserve(images.size());
  for (const Candidate& image : images) manifests.push_back(image.manifest);
  VARVE_ASSIGN_OR_RETURN(const std::size_t fit, CountThatFit(store_, options_.in_use, manifests, options_.keep_bytes));
  for (std::size_t i = 0; i < fit; ++i) images[i].stays = true;
  return Ok();
}

Status Collection::EraseImages() {
  VARVE_ASSIGN_OR_RETURN(std::vector<Candidate> images, ReadImages());
  if (options_.images == CollectOptions::Images::kLeastRecentlyUsed) VARVE_RETURN_IF_ERROR(KeepMostRecent(images));
  // What has got or lost a name since it was judged stays; one that is pulled anew has another record.
  const MutexLock names_lock(store_.names_mutex());
  VARVE_ASSIGN_OR_RETURN(Names names, ReadNames());
  Committer::Batch batch;
  for (const Candidate& image : images) {
    const bool named = !image.names.empty();
    if (names[image.key] != image.names) continue;
    if (image.stays || (named && options_.images == CollectOptions::Images::kDangling)) continue;
    batch.moves.push_back({Column::kManifest, image.key, image.value, std::nullopt});
    VARVE_ASSIGN_OR_RETURN(const Digest config, Digest::FromBytes(AsBytes(image.manifest.config_digest())));
    CollectOutcome::Image& deleted = outcome_.deleted.emplace_back(config);
    deleted.used = std::chrono::system_clock::time_point(image.used);
    for (const auto& [name, record] : image.names) {
      batch.moves.push_back({Column::kRef, name, record, std::nullopt});
      deleted.names.push_back(name);
    }
  }
  return store_.committer().Commit(std::move(batch));
}

// Whom a message about a layer is about: an image that has it.
std::string Collection::OwnerOf(const Digest& diff_id) {
  const auto images = ReadImages();
  for (const Candidate& image : images.ok() ? *images : std::vector<Candidate>()) {
    if (std::ranges::find(image.manifest.diff_ids(), KeyOf(diff_id)) == image.manifest.diff_ids().end()) continue;
    return "image " + (image.names.empty() ? "sha256:" + ToHex(AsBytes(image.key)) : image.names.front().first);
  }
  return "layer " + diff_id.ToString();
}

Status Collection::MarkLayer(const Digest& diff_id) {
  if (!layers_.insert(diff_id).second) return Ok();
  const auto layer = store_.index_files().OpenLayer(diff_id);
  if (!layer.ok()) {
    return layer.error().In("nothing is pruned while it is not known which chunks " + OwnerOf(diff_id) +
                            " needs, repair or remove it");
  }
  for (const fb::Chunk& chunk : layer->index.chunks()) {
    chunks_.push_back(LoadLittle<std::uint64_t>(reinterpret_cast<const std::byte*>(chunk.sha256().bytes()->Data())));
  }
  return Ok();
}

Status Collection::Mark() {
  VARVE_ASSIGN_OR_RETURN(std::vector<Digest> layers, LayersOfRepositories(store_));
  const auto add_image = [&](std::string_view chain_id, const auto& diff_ids) -> Status {
    VARVE_ASSIGN_OR_RETURN(const Digest image, Digest::FromBytes(AsBytes(chain_id)));
    images_.insert(image);
    for (const std::string& diff_id : diff_ids) {
      VARVE_ASSIGN_OR_RETURN(const Digest layer, Digest::FromBytes(AsBytes(diff_id)));
      layers.push_back(layer);
    }
    return Ok();
  };
  VARVE_RETURN_IF_ERROR(
      store_.database().Scan(Column::kManifest, [&](std::string_view, std::string_view value) -> Status {
        VARVE_ASSIGN_OR_RETURN(const store::Manifest manifest, Parse<store::Manifest>(value));
        return add_image(manifest.chain_id(), manifest.diff_ids());
      }));
  std::unordered_set<std::string> in_use;
  for (const ChainId& chain_id : options_.in_use) in_use.emplace(KeyOf(chain_id.digest));
  VARVE_RETURN_IF_ERROR(
      store_.database().Scan(Column::kImage, [&](std::string_view key, std::string_view value) -> Status {
        VARVE_ASSIGN_OR_RETURN(const Digest chain_id, Digest::FromBytes(AsBytes(key)));
        if (!in_use.contains(std::string(key)) && !IsHeld(chain_id)) return Ok();
        VARVE_ASSIGN_OR_RETURN(const store::Image image, Parse<store::Image>(value));
        return add_image(key, image.diff_ids());
      }));
  VARVE_RETURN_IF_ERROR(store_.database().Scan(Column::kLayer, [&](std::string_view key, std::string_view) -> Status {
    VARVE_ASSIGN_OR_RETURN(const Digest diff_id, Digest::FromBytes(AsBytes(key)));
    if (IsHeld(diff_id)) layers.push_back(diff_id);
    return Ok();
  }));
  for (const Digest& layer : layers) VARVE_RETURN_IF_ERROR(MarkLayer(layer));
  chunks_.insert(chunks_.end(), held_.begin(), held_.end());
  return Ok();
}

bool Collection::ChunkIsLive(std::string_view key) const {
  return std::binary_search(chunks_.begin(), chunks_.end(), LoadLittle<std::uint64_t>(AsBytes(key).data()));
}

Status Collection::EraseUnmarked(Column column, const std::unordered_set<Digest>& marked, Committer::Batch& batch) {
  return store_.database().Scan(column, [&](std::string_view key, std::string_view value) -> Status {
    VARVE_ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(AsBytes(key)));
    if (marked.contains(digest) || store_.leases().Condemn(std::span(&digest, 1)).empty()) return Ok();
    batch.moves.push_back({column, std::string(key), std::string(value), std::nullopt});
    return Ok();
  });
}

// An image index that was looked up since the mark stays, unmarked as it is: so do its layers. Images are condemned
// before layers, so that whoever finds an image finds what it is made of.
Status Collection::MarkLayersOfSurvivors(const Committer::Batch& condemned) {
  std::unordered_set<std::string_view> going;
  for (const Committer::Move& move : condemned.moves) going.insert(move.key);
  return store_.database().Scan(Column::kImage, [&](std::string_view key, std::string_view value) -> Status {
    if (going.contains(key)) return Ok();
    VARVE_ASSIGN_OR_RETURN(const store::Image image, Parse<store::Image>(value));
    for (const std::string& diff_id : image.diff_ids()) {
      VARVE_ASSIGN_OR_RETURN(const Digest layer, Digest::FromBytes(AsBytes(diff_id)));
      VARVE_RETURN_IF_ERROR(MarkLayer(layer));
    }
    return Ok();
  });
}

// Nor did the mark see the chunks of a layer that was looked up since.
Status Collection::MarkChunksOfSurvivors() {
  VARVE_RETURN_IF_ERROR(store_.database().Scan(Column::kLayer, [&](std::string_view key, std::string_view) -> Status {
    VARVE_ASSIGN_OR_RETURN(const Digest diff_id, Digest::FromBytes(AsBytes(key)));
    return MarkLayer(diff_id);
  }));
  std::sort(chunks_.begin(), chunks_.end());
  return Ok();
}

Status Collection::EraseRecords() {
  Committer::Batch batch;
  VARVE_RETURN_IF_ERROR(EraseUnmarked(Column::kImage, images_, batch));
  VARVE_RETURN_IF_ERROR(MarkLayersOfSurvivors(batch));
  VARVE_RETURN_IF_ERROR(EraseUnmarked(Column::kLayer, layers_, batch));
  VARVE_RETURN_IF_ERROR(store_.committer().Commit(std::move(batch)));
  VARVE_RETURN_IF_ERROR(MarkChunksOfSurvivors());
  Committer::Batch rest;
  VARVE_RETURN_IF_ERROR(
      store_.database().Scan(Column::kBlob, [&](std::string_view key, std::string_view value) -> Status {
        VARVE_ASSIGN_OR_RETURN(const store::Blob blob, Parse<store::Blob>(value));
        VARVE_ASSIGN_OR_RETURN(const auto layer, store_.database().Get(Column::kLayer, blob.diff_id()));
        VARVE_ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(AsBytes(key)));
        if (!layer && !store_.leases().Condemn(std::span(&digest, 1)).empty())
          rest.moves.push_back({Column::kBlob, std::string(key), std::string(value), std::nullopt});
        return Ok();
      }));
  VARVE_RETURN_IF_ERROR(store_.database().Scan(Column::kUse, [&](std::string_view key, std::string_view) -> Status {
    VARVE_ASSIGN_OR_RETURN(const auto manifest, store_.database().Get(Column::kManifest, key));
    if (!manifest) rest.records.Erase(Column::kUse, key);
    return Ok();
  }));
  return store_.committer().Commit(std::move(rest));
}

Status Collection::FindFrames() {
  VARVE_ASSIGN_OR_RETURN(frames_,
                         FindLiveFrames(store_.database(), [this](std::string_view key) { return ChunkIsLive(key); }));
  return Ok();
}

// The packs with enough dead bytes, sealed. Frames are looked for again afterwards: only then nothing more can come
// into these packs.
Result<std::vector<PackId>> Collection::ChoosePacks() {
  VARVE_RETURN_IF_ERROR(FindFrames());
  VARVE_ASSIGN_OR_RETURN(const auto durable, DurablePacks(store_.database()));
  std::vector<PackId> chosen;
  for (const auto& [pack, bytes] : durable) {
    std::uint64_t live = 0;
    for (const auto& [offset, length] : frames_[pack]) live += length;
    const auto dead = static_cast<double>(bytes - std::min(bytes, live));
    if (dead < options_.dead_fraction_min * static_cast<double>(bytes)) continue;
    if (store_.packs().Seal(pack) && !store_.committer().HasPendingIn(pack)) chosen.push_back(pack);
  }
  VARVE_RETURN_IF_ERROR(FindFrames());
  return chosen;
}

Status Collection::RewritePacks(std::uint64_t first_journal) {
  VARVE_ASSIGN_OR_RETURN(const std::vector<PackId> chosen, ChoosePacks());
  PackRewriter rewriter(store_, frames_, first_journal, options_.close_packs);
  for (std::size_t first = 0; first < chosen.size(); first += kPacksPerRewrite) {
    VARVE_RETURN_IF_ERROR(
        rewriter.Rewrite(std::span(chosen).subspan(first, std::min(kPacksPerRewrite, chosen.size() - first))));
  }
  outcome_.packs_dropped = rewriter.packs_dropped();
  outcome_.frames_moved = rewriter.frames_moved();
  return Ok();
}

}  // namespace

Result<CollectOutcome> Collect(Store& store, const CollectOptions& options) { return Collection(store, options).Run(); }

}  // namespace varve
