// The index from packs alone.
//
// Every frame says what it is. One pass over all packs, each frame verified by its SHA-256:
//   chunk, group                 → placements
//   layer index, image index     → parts, put together by name; the record's sizes come from the index itself
//   tar recipe, manifest, config → parts
//   journal                      → replayed by sequence numbers, from the last checkpoint on: names, manifests'
//                                  records, blobs, slots, and all that a registry knows
// What a crash left half written is not there: a layer's index frame is written only after its diff ID was verified, an
// image's after its layers. A record that lost a part is left out with all that needs it, and named. Where a chunk or
// record is stored twice (a prune was interrupted), either will do. A pack that no prune has rewritten yet still has
// records which a prune erased, while chunks of theirs are gone with other packs: a layer that no image needs is taken
// only if it has all of its chunks, or the next pull would believe that it is here. A registry's blobs are files beside
// the packs: a record of one is taken if its file has the right length, and a link, manifest, tag or referrer if what
// it needs was.

#include "cached/store/rebuild.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "cached/content/sha256.h"
#include "cached/pack/group.h"
#include "cached/pack/pack_reader.h"
#include "cached/store/database.h"
#include "cached/store/placement.h"
#include "cached/store/repository_keys.h"
#include "cached/store/store.h"

namespace varve {
namespace {

// Placements that are written to the index in one batch.
constexpr std::size_t kBatchChunks = 8192;

// The parts of one record, as found.
struct FoundParts {
  std::map<std::uint32_t, store::Placement> parts;
  std::uint32_t count = 0;
  std::uint64_t total_bytes = 0;

  Result<store::Parts> Whole() const {
    if (count == 0 || parts.size() != count || parts.rbegin()->first + 1 != count)
      return Error(Code::kDataLoss, "a part is missing");
    store::Parts record;
    record.set_total_bytes(total_bytes);
    for (const auto& [number, placement] : parts) *record.add_parts() = placement;
    return record;
  }
};
using FoundRecords = std::unordered_map<Digest, FoundParts>;

class Rebuild {
 public:
  Rebuild(Fs& fs, const RootPaths& paths) : fs_(fs), paths_(paths) {}

  Result<RebuildOutcome> Run() {
    VARVE_RETURN_IF_ERROR(Database::Destroy(paths_.db() + ".new"));  // of a rebuild that was interrupted
    VARVE_ASSIGN_OR_RETURN(database_, Database::Open(paths_.db() + ".new"));
    VARVE_ASSIGN_OR_RETURN(const auto names, fs_.List(paths_.packs()));
    for (const std::string& name : names) VARVE_RETURN_IF_ERROR(ReadPack(name));
    VARVE_RETURN_IF_ERROR(FlushChunks());
    VARVE_RETURN_IF_ERROR(ReplayJournals());
    VARVE_RETURN_IF_ERROR(WriteLayers());
    VARVE_RETURN_IF_ERROR(WriteImages());
    VARVE_RETURN_IF_ERROR(WriteRepositories());
    VARVE_RETURN_IF_ERROR(WriteSmallRecords());
    database_.reset();
    VARVE_RETURN_IF_ERROR(fs_.Rename(paths_.db() + ".new", paths_.db()));
    VARVE_RETURN_IF_ERROR(fs_.SyncDirectory(paths_.root));
    return std::move(outcome_);
  }

 private:
  Status ReadPack(const std::string& name);
  Status TakeFrame(const PackReader& reader, std::uint64_t offset, const FrameHeader& header);
  Status TakeGroup(const PackLocation& location, ByteSpan payload);
  Status TakeRecord(FrameKind kind, const PackLocation& location, ByteSpan payload, std::uint32_t raw_bytes);
  Status AddChunk(const Digest& digest, const PackLocation& location, std::uint32_t raw_bytes, bool grouped);
  Status FlushChunks();
  Status ReplayJournals();
  Result<Bytes> Read(const store::Parts& parts) const;
  Result<std::size_t> MissingChunks(const LayerIndex& layer) const;
  std::set<std::string> LayersOfManifests() const;
  Status WriteLayers();
  Status WriteImages();
  Status WriteSmallRecords();
  Status WriteRepositories();
  bool HasOriginal(std::string_view blob) const { return originals_.contains(std::string(blob)); }

  Fs& fs_;
  const RootPaths& paths_;
  RebuildOutcome outcome_;
  std::unique_ptr<Database> database_;
  Database::Batch chunks_;
  std::size_t queued_chunks_ = 0;
  std::map<FrameKind, FoundRecords> records_;
  std::map<Column, std::map<std::string, std::string>> replayed_;
  std::map<std::string, store::Layer> layers_;
  std::set<std::string> originals_;  // blobs
  std::uint64_t last_journal_ = 0;
  std::uint32_t last_pack_ = 0;
};

Status Rebuild::ReadPack(const std::string& name) {
  PackId id;
  for (const char c : name.substr(0, 6)) id.number = id.number * 10 + static_cast<std::uint32_t>(c - '0');
  const auto reader = PackReader::Open(fs_, paths_.packs(), id);
  if (!reader.ok()) {
    outcome_.damage.push_back(reader.error().message());
    return Ok();
  }
  ++outcome_.packs;
  last_pack_ = std::max(last_pack_, id.number);
  VARVE_ASSIGN_OR_RETURN(const std::uint64_t size, reader->Size());
  std::uint64_t end = kPackHeaderBytes;
  VARVE_RETURN_IF_ERROR(reader->Scan(
      size,
      [&](std::uint64_t offset, const FrameHeader& header) -> Status {
        end = offset + header.FrameBytes();
        return TakeFrame(*reader, offset, header);
      },
      [&](std::uint64_t from, std::uint64_t to) {
        if (to < size)
          outcome_.damage.push_back(fmt::format("pack {:06} at {}: {} bytes are no frame", id.number, from, to - from));
      }));
  store::Pack record;
  record.set_durable_bytes(end);
  std::string key(4, '\0');
  for (std::size_t i = 0; i < 4; ++i) key[i] = static_cast<char>(id.number >> (24 - 8 * i));
  chunks_.Put(Column::kPack, key, record.SerializeAsString());
  return Ok();
}

Status Rebuild::TakeFrame(const PackReader& reader, std::uint64_t offset, const FrameHeader& header) {
  VARVE_ASSIGN_OR_RETURN(const PackReader::Frame frame, reader.ReadFrame(offset, header.FrameBytes()));
  const auto payload = VerifyFrame(header, frame.bytes);
  if (!payload.ok()) {
    outcome_.damage.push_back(
        fmt::format("pack {:06} at {}: {}", reader.id().number, offset, payload.error().message()));
    return Ok();
  }
  ++outcome_.frames;
  const PackLocation location{reader.id(), static_cast<std::uint32_t>(offset), header.FrameBytes()};
  if (header.kind == FrameKind::kChunk) return AddChunk(header.sha256, location, header.raw_length, false);
  if (header.kind == FrameKind::kGroup) return TakeGroup(location, *payload);
  return TakeRecord(header.kind, location, *payload, header.raw_length);
}

Status Rebuild::TakeGroup(const PackLocation& location, ByteSpan payload) {
  VARVE_ASSIGN_OR_RETURN(const GroupView group, GroupView::Open(payload));
  for (std::size_t i = 0; i < group.size(); ++i) {
    VARVE_RETURN_IF_ERROR(AddChunk(group.sha256(i), location, static_cast<std::uint32_t>(group.chunk(i).size()), true));
  }
  return Ok();
}

Status Rebuild::TakeRecord(FrameKind kind, const PackLocation& location, ByteSpan payload, std::uint32_t raw_bytes) {
  ByteSpan rest = payload;
  VARVE_ASSIGN_OR_RETURN(const RecordHeader header, DecodeRecordHeader(rest));
  FoundParts& found = records_[kind][header.name];
  found.parts[header.part] = ToPlacement(location, raw_bytes, false);
  if (header.parts != 0) {
    found.count = header.parts;
    found.total_bytes = header.total_bytes;
  }
  return Ok();
}

Status Rebuild::AddChunk(const Digest& digest, const PackLocation& location, std::uint32_t raw_bytes, bool grouped) {
  chunks_.Put(Column::kChunk, KeyOf(digest), ToPlacement(location, raw_bytes, grouped).SerializeAsString());
  return ++queued_chunks_ >= kBatchChunks ? FlushChunks() : Ok();
}

Status Rebuild::FlushChunks() {
  outcome_.chunks += std::exchange(queued_chunks_, 0);
  return database_->Write(std::exchange(chunks_, {}));
}

Result<Bytes> Rebuild::Read(const store::Parts& parts) const {
  return IndexFiles(fs_, paths_, *database_).ReadParts(parts);
}

Status Rebuild::ReplayJournals() {
  std::map<std::uint64_t, const FoundParts*> journals;
  for (const auto& [name, found] : records_[FrameKind::kJournal])
    journals[LoadLittle<std::uint64_t>(name.bytes.data())] = &found;
  for (const auto& [sequence, found] : journals) {
    last_journal_ = std::max(last_journal_, sequence);
    const auto parts = found->Whole();
    store::Journal journal;
    auto bytes = parts.ok() ? Read(*parts) : Result<Bytes>(parts.error());
    if (!bytes.ok() || !journal.ParseFromArray(bytes->data(), static_cast<int>(bytes->size()))) {
      outcome_.damage.push_back(fmt::format("journal {}: cannot be read; names given there are lost", sequence));
      continue;
    }
    if (journal.checkpoint()) replayed_.clear();
    for (const store::Journal::Change& change : journal.changes()) {
      auto& column = replayed_[static_cast<Column>(change.column())];
      if (change.erased()) {
        column.erase(change.key());
      } else {
        column[change.key()] = change.value();
      }
    }
  }
  return Ok();
}

Result<std::size_t> Rebuild::MissingChunks(const LayerIndex& layer) const {
  constexpr std::size_t kLookups = 1024;
  std::size_t missing = 0;
  for (std::size_t first = 0; first < layer.chunks().size(); first += kLookups) {
    std::vector<std::string_view> keys;
    for (const fb::Chunk& chunk : layer.chunks().subspan(first, std::min(kLookups, layer.chunks().size() - first)))
      keys.emplace_back(reinterpret_cast<const char*>(chunk.sha256().bytes()->Data()), 32);
    VARVE_ASSIGN_OR_RETURN(const auto found, database_->MultiGet(Column::kChunk, keys));
    missing += static_cast<std::size_t>(std::count(found.begin(), found.end(), std::nullopt));
  }
  return missing;
}

std::set<std::string> Rebuild::LayersOfManifests() const {
  std::set<std::string> layers;
  const auto manifests = replayed_.find(Column::kManifest);
  if (manifests == replayed_.end()) return layers;
  for (const auto& [key, value] : manifests->second) {
    store::Manifest manifest;
    if (manifest.ParseFromString(value)) layers.insert(manifest.diff_ids().begin(), manifest.diff_ids().end());
  }
  return layers;
}

Status Rebuild::WriteLayers() {
  const std::set<std::string> needed = LayersOfManifests();
  Database::Batch batch;
  for (const auto& [diff_id, found] : records_[FrameKind::kLayerIndex]) {
    const auto index = found.Whole();
    const auto recipe = records_[FrameKind::kTarRecipe][diff_id].Whole();
    const auto bytes = index.ok() ? Read(*index) : Result<Bytes>(index.error().In("its index"));
    const auto view =
        bytes.ok() ? LayerIndex::Open(*bytes, diff_id, IndexCheck::kFull) : Result<LayerIndex>(bytes.error());
    if (!view.ok() || !recipe.ok()) {
      outcome_.damage.push_back("layer " + diff_id.ToString() + ": " +
                                (view.ok() ? "its tar recipe is missing" : view.error().message()));
      continue;
    }
    VARVE_ASSIGN_OR_RETURN(const std::size_t missing, MissingChunks(*view));
    if (missing > 0 && !needed.contains(std::string(KeyOf(diff_id)))) continue;
    if (missing > 0)
      outcome_.damage.push_back(fmt::format("layer {}: {} chunks are missing", diff_id.ToString(), missing));
    store::Layer layer;
    *layer.mutable_index() = *index;
    *layer.mutable_recipe() = *recipe;
    layer.set_tar_bytes(view->tar_bytes());
    layer.set_chunk_count(static_cast<std::uint32_t>(view->chunks().size()));
    batch.Put(Column::kLayer, KeyOf(diff_id), layer.SerializeAsString());
    layers_.emplace(std::string(KeyOf(diff_id)), std::move(layer));
    ++outcome_.layers;
  }
  return database_->Write(batch);
}

Status Rebuild::WriteImages() {
  Database::Batch batch;
  for (const auto& [chain_id, found] : records_[FrameKind::kImageIndex]) {
    const auto index = found.Whole();
    const auto bytes = index.ok() ? Read(*index) : Result<Bytes>(index.error());
    const auto view =
        bytes.ok() ? ImageIndex::Open(*bytes, ChainId{chain_id}, IndexCheck::kFull) : Result<ImageIndex>(bytes.error());
    if (!view.ok()) {
      outcome_.damage.push_back("image index sha256:" + chain_id.hex() + ": " + view.error().message());
      continue;
    }
    store::Image image;
    *image.mutable_index() = *index;
    bool whole = true;
    for (std::size_t i = 0; i < view->layers().size(); ++i) {
      image.add_diff_ids(std::string(KeyOf(view->layer(i))));
      whole &= layers_.contains(image.diff_ids(static_cast<int>(i)));
    }
    if (!whole) continue;  // a manifest that needs it names its layer
    batch.Put(Column::kImage, KeyOf(chain_id), image.SerializeAsString());
  }
  return database_->Write(batch);
}

Status Rebuild::WriteSmallRecords() {
  Database::Batch batch;
  std::map<std::string, bool> manifests;
  for (const auto& [key, value] : replayed_[Column::kManifest]) {
    store::Manifest manifest;
    const auto digest = Digest::FromBytes(AsBytes(key));
    if (!digest.ok() || !manifest.ParseFromString(value)) continue;
    const auto config_digest = Digest::FromBytes(AsBytes(manifest.config_digest()));
    const auto bytes = records_[FrameKind::kManifest][*digest].Whole();
    const auto config = config_digest.ok() ? records_[FrameKind::kConfig][*config_digest].Whole()
                                           : Result<store::Parts>(config_digest.error());
    const bool layers = std::all_of(manifest.diff_ids().begin(), manifest.diff_ids().end(),
                                    [&](const std::string& diff_id) { return layers_.contains(diff_id); });
    if (!bytes.ok() || !config.ok() || !layers) {
      outcome_.damage.push_back("image " + digest->ToString() + ": " +
                                (layers ? "its manifest or config is missing" : "a layer is missing"));
      continue;
    }
    *manifest.mutable_manifest() = *bytes;
    *manifest.mutable_config() = *config;
    batch.Put(Column::kManifest, key, manifest.SerializeAsString());
    manifests[key] = true;
    ++outcome_.images;
  }
  for (const auto& [key, value] : replayed_[Column::kRef]) {
    store::Ref ref;
    if (!ref.ParseFromString(value) || !manifests.contains(ref.manifest_digest())) continue;
    batch.Put(Column::kRef, key, value);
    ++outcome_.names;
  }
  for (const auto& [key, value] : replayed_[Column::kBlob]) {
    store::Blob blob;
    if (blob.ParseFromString(value) && layers_.contains(blob.diff_id())) batch.Put(Column::kBlob, key, value);
  }
  store::Counters counters;
  counters.set_next_slot(1);
  for (const auto& [key, value] : replayed_[Column::kSlot]) {
    store::Slot slot;
    if (!slot.ParseFromString(value)) continue;
    batch.Put(Column::kSlot, key, value);
    counters.set_next_slot(std::max(counters.next_slot(), slot.slot() + 1));
  }
  counters.set_next_pack(last_pack_ + 1);
  counters.set_next_journal(last_journal_ + 1);
  batch.Put(Column::kMeta, "counters", counters.SerializeAsString());
  for (const auto& [key, value] : replayed_[Column::kMeta]) batch.Put(Column::kMeta, key, value);
  return database_->Write(batch);
}

Status Rebuild::WriteRepositories() {
  Database::Batch batch;
  for (const auto& [key, value] : replayed_[Column::kOriginal]) {
    store::Original original;
    const auto digest = Digest::FromBytes(AsBytes(key));
    if (!digest.ok() || !original.ParseFromString(value)) continue;
    const auto size = fs_.FileSize(paths_.blobs() + "/" + digest->hex());
    if (!size.ok() || *size != original.size_bytes()) {
      outcome_.damage.push_back("blob " + digest->ToString() + ": its file is " +
                                (size.ok() ? "not as long as it was" : "missing"));
      continue;
    }
    batch.Put(Column::kOriginal, key, value);
    originals_.insert(key);
    ++outcome_.originals;
  }
  for (const auto& [key, value] : replayed_[Column::kRepositoryBlob]) {
    const auto link = RepositoryKey::Parse(key);
    if (link.ok() && HasOriginal(link->name)) batch.Put(Column::kRepositoryBlob, key, value);
  }
  std::set<std::string> manifests;  // keys
  for (const auto& [key, value] : replayed_[Column::kRepositoryManifest]) {
    const auto manifest = RepositoryKey::Parse(key);
    if (!manifest.ok() || !HasOriginal(manifest->name)) continue;
    batch.Put(Column::kRepositoryManifest, key, value);
    manifests.insert(key);
  }
  for (const auto& [key, value] : replayed_[Column::kReferrer]) {
    const auto referrer = RepositoryKey::Parse(key);
    if (!referrer.ok() || referrer->name.size() != 2 * sizeof(Digest)) continue;
    const std::string manifest = KeyIn(referrer->repository, referrer->name.substr(sizeof(Digest)));
    if (manifests.contains(manifest)) batch.Put(Column::kReferrer, key, value);
  }
  for (const auto& [key, value] : replayed_[Column::kTag]) {
    const auto name = RepositoryKey::Parse(key);
    store::Tag tag;
    if (!name.ok() || !tag.ParseFromString(value)) continue;
    if (manifests.contains(KeyIn(name->repository, tag.manifest_digest()))) batch.Put(Column::kTag, key, value);
  }
  return database_->Write(batch);
}

}  // namespace

Result<RebuildOutcome> RebuildIndex(Fs& fs, const RootPaths& paths) {
  if (fs.FileSize(paths.db() + "/CURRENT").ok()) {
    return Error(Code::kFailedPrecondition, paths.db() + ": there is an index; move it away first, then rebuild");
  }
  return Rebuild(fs, paths).Run();
}

}  // namespace varve
