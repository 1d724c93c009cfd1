#include "cached/store/repair.h"

#include <algorithm>

#include "cached/store/pack_rewriter.h"

namespace varve {
namespace {

// How often a record may change under a repair before that gives up.
constexpr int kMoveAttempts = 3;

// Changes the parts of one record until they read. `restore` appends what is missing to the writer and changes the
// record.
template <class Record>
Status ReplaceParts(Store& store, Column column, const Digest& key,
                    const std::function<Status(ChunkWriter&, Record&)>& restore) {
  for (int attempt = 0; attempt < kMoveAttempts; ++attempt) {
    VARVE_ASSIGN_OR_RETURN(const auto from, store.database().Get(column, KeyOf(key)));
    Record record;
    if (!from || !record.ParseFromString(*from)) return Error(Code::kNotFound, key.ToString() + ": is not stored");
    const auto writer = store.OpenWriter();
    static_cast<void>(writer->session().Touch(key));
    VARVE_RETURN_IF_ERROR(restore(*writer, record));
    const std::string to = record.SerializeAsString();
    VARVE_ASSIGN_OR_RETURN(Committer::Batch batch, writer->Finish());
    batch.moves.push_back({column, std::string(KeyOf(key)), *from, to});
    VARVE_RETURN_IF_ERROR(store.committer().Commit(std::move(batch)));
    VARVE_ASSIGN_OR_RETURN(const auto now, store.database().Get(column, KeyOf(key)));
    if (now == to) return Ok();
  }
  return Error(Code::kAborted, key.ToString() + ": its record changes all the time; try again");
}

Status PointLocators(Store& store, const std::unordered_set<Digest>& chunks) {
  VARVE_ASSIGN_OR_RETURN(const std::vector<Digest> layers, AllLayers(store.database()));
  for (const Digest& diff_id : layers) {
    const auto layer = store.index_files().OpenLayer(diff_id);
    if (!layer.ok()) continue;  // its table is written when its index is there again
    const bool concerned = std::ranges::any_of(
        layer->index.chunks(), [&](const fb::Chunk& chunk) { return chunks.contains(DigestOf(chunk.sha256())); });
    if (concerned) VARVE_RETURN_IF_ERROR(RestoreLocators(store, diff_id));
  }
  return Ok();
}

}  // namespace

Status RestoreLocators(Store& store, const Digest& diff_id) {
  VARVE_ASSIGN_OR_RETURN(const MappedLayer layer, store.index_files().OpenLayer(diff_id));
  VARVE_ASSIGN_OR_RETURN(LocatorTable table, store.index_files().OpenLocators(layer, LocatorTable::Access::kReadWrite));
  for (std::uint32_t ordinal = 0; ordinal < table.size(); ++ordinal) {
    VARVE_RETURN_IF_ERROR(SetWord(store.database(), table, ordinal, DigestOf(layer.index.chunks()[ordinal].sha256())));
  }
  return Ok();
}

bool IsLost(Store& store, const Damage::Lost& lost) {
  using enum Damage::Object;
  if (lost.object == kImageIndex) {
    const auto image = store.FindImage(ChainId{lost.of});
    if (!image.ok()) return false;
    const auto& record = *image;
    return record && !store.ReadParts(record->index()).ok();
  }
  if (lost.object == kManifest || lost.object == kConfig) {
    const auto manifest = store.FindManifest(lost.of);
    if (!manifest.ok() || !*manifest) return false;
    return !store.ReadParts(lost.object == kManifest ? (*manifest)->manifest() : (*manifest)->config()).ok();
  }
  const auto layer = store.FindLayer(lost.of);
  if (!layer.ok() || !*layer) return false;
  return !store.ReadParts(lost.object == kTarRecipe ? (*layer)->recipe() : (*layer)->index()).ok();
}

Status RestorePackHeader(Store& store, PackId pack) {
  const std::string path = store.paths().packs() + "/" + pack.FileName();
  VARVE_ASSIGN_OR_RETURN(const auto file, store.fs().Open(path, OpenMode::kReadWrite));
  VARVE_RETURN_IF_ERROR(file->WriteAt(0, EncodePackHeader(pack)));
  return file->Sync();
}

Status RestoreFile(Store& store, const Damage::Lost& lost) {
  using enum Damage::Object;
  std::string path = store.paths().locators(lost.of.hex());
  if (lost.object == kLayerFile) path = store.paths().layer_index(lost.of.hex());
  if (lost.object == kImageFile) path = store.paths().image_index(lost.of.hex());
  const auto size = store.fs().FileSize(path);
  if (lost.object != kLocators && size.ok()) VARVE_RETURN_IF_ERROR(store.fs().Remove(path));
  if (lost.object == kLocators) return RestoreLocators(store, lost.of);  // one that does not open is replaced
  if (lost.object == kImageFile) {
    VARVE_RETURN_IF_ERROR(store.index_files().OpenImage(ChainId{lost.of}));
  } else {
    VARVE_RETURN_IF_ERROR(store.index_files().OpenLayer(lost.of));
  }
  return Ok();
}

Status RestoreLayerIndex(Store& store, const Digest& diff_id) {
  VARVE_ASSIGN_OR_RETURN(const Bytes file,
                         ReadWholeFile(store.fs(), store.paths().layer_index(diff_id.hex()), kIndexBytesMax));
  VARVE_RETURN_IF_ERROR(LayerIndex::Open(file, diff_id, IndexCheck::kFull));
  return ReplaceParts<store::Layer>(
      store, Column::kLayer, diff_id, [&](ChunkWriter& writer, store::Layer& record) -> Status {
        VARVE_ASSIGN_OR_RETURN(*record.mutable_index(), writer.AppendRecord(FrameKind::kLayerIndex, diff_id, file));
        return Ok();
      });
}

Status RestoreImageIndex(Store& store, const ChainId& chain_id, const CancelToken& cancel) {
  VARVE_ASSIGN_OR_RETURN(const auto image, store.FindImage(chain_id));
  if (!image) return Ok();  // the collector took it meanwhile
  std::vector<Digest> diff_ids;
  for (const std::string& diff_id : image->diff_ids()) {
    VARVE_ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(AsBytes(diff_id)));
    diff_ids.push_back(digest);
  }
  store.leases().AddDamaged(std::span(&chain_id.digest, 1));
  const auto writer = store.OpenWriter();
  return store.EnsureImage(*writer, diff_ids, chain_id, [&] { return cancel.Check(); });
}

Status RestoreManifest(Store& store, const Digest& manifest_digest, ByteSpan manifest, ByteSpan config) {
  return ReplaceParts<store::Manifest>(
      store, Column::kManifest, manifest_digest, [&](ChunkWriter& writer, store::Manifest& record) -> Status {
        if (!store.ReadParts(record.manifest()).ok()) {
          VARVE_ASSIGN_OR_RETURN(*record.mutable_manifest(),
                                 writer.AppendRecord(FrameKind::kManifest, manifest_digest, manifest));
        }
        if (!store.ReadParts(record.config()).ok()) {
          VARVE_ASSIGN_OR_RETURN(const Digest name, Digest::FromBytes(AsBytes(record.config_digest())));
          VARVE_ASSIGN_OR_RETURN(*record.mutable_config(), writer.AppendRecord(FrameKind::kConfig, name, config));
        }
        return Ok();
      });
}

Status RestoreLayer(Store& store, ChunkWriter& writer, const Store::LayerCommit& layer,
                    const std::unordered_set<Digest>& chunks) {
  VARVE_ASSIGN_OR_RETURN(const auto record, store.FindLayer(layer.diff_id));
  if (record && store.ReadParts(record->index()).ok() && store.ReadParts(record->recipe()).ok()) {
    VARVE_ASSIGN_OR_RETURN(Committer::Batch batch, writer.Finish());
    VARVE_RETURN_IF_ERROR(store.committer().Commit(std::move(batch)));
    writer.session().SetSound();
  } else {
    // Recipe and index number the same chunks: they are written together.
    VARVE_RETURN_IF_ERROR(store.CommitLayer(writer, layer));
  }
  return PointLocators(store, chunks);
}

Status ForgetChunks(Store& store, std::span<const Digest> chunks) {
  std::unordered_set<Digest> unneeded(chunks.begin(), chunks.end());
  std::erase_if(unneeded, [&](const Digest& chunk) { return store.ReadChunk(chunk).ok(); });
  if (unneeded.empty()) return Ok();
  VARVE_ASSIGN_OR_RETURN(const std::vector<Digest> layers, AllLayers(store.database()));
  for (const Digest& diff_id : layers) {
    const auto layer = store.index_files().OpenLayer(diff_id);
    if (!layer.ok()) return Ok();  // it may need any of them
    for (const fb::Chunk& chunk : layer->index.chunks()) unneeded.erase(DigestOf(chunk.sha256()));
  }
  Committer::Batch batch;
  for (const Digest& chunk : unneeded) {
    VARVE_ASSIGN_OR_RETURN(const auto placement, store.database().Get(Column::kChunk, KeyOf(chunk)));
    if (placement) batch.moves.push_back({Column::kChunk, std::string(KeyOf(chunk)), *placement, std::nullopt});
  }
  return store.committer().Commit(std::move(batch));
}

Result<std::vector<PackId>> RetirePacks(Store& store, std::span<const PackId> packs,
                                        const std::function<void(std::span<const PackId>)>& close_packs) {
  VARVE_ASSIGN_OR_RETURN(const auto durable, DurablePacks(store.database()));
  std::vector<PackId> chosen;
  for (const PackId pack : packs) {
    if (durable.contains(pack) && store.packs().Seal(pack) && !store.committer().HasPendingIn(pack))
      chosen.push_back(pack);
  }
  // After the packs were sealed: no journal in them counts any more.
  VARVE_RETURN_IF_ERROR(store.CheckpointJournal());
  VARVE_ASSIGN_OR_RETURN(LiveFrames live, FindLiveFrames(store.database(), [](std::string_view) { return true; }));
  PackRewriter rewriter(store, live, std::nullopt, close_packs);
  for (const PackId pack : chosen) VARVE_RETURN_IF_ERROR(rewriter.Rewrite(std::span(&pack, 1)));
  VARVE_ASSIGN_OR_RETURN(const auto now, DurablePacks(store.database()));
  std::vector<PackId> left;
  std::ranges::copy_if(packs, std::back_inserter(left), [&](PackId pack) { return now.contains(pack); });
  return left;
}

}  // namespace varve
