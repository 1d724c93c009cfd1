#include "cached/store/pack_rewriter.h"

#include <fmt/core.h>

#include "cached/base/log.h"
#include "cached/content/sha256.h"
#include "cached/pack/pack_reader.h"

namespace varve {
namespace {

// Applies `visit` to each Parts of a record of `column`.
template <class Record, class Visit>
void EachParts(Record& record, const Visit& visit) {
  if constexpr (requires { record.recipe(); }) {
    visit(*record.mutable_index());
    visit(*record.mutable_recipe());
  } else if constexpr (requires { record.manifest(); }) {
    visit(*record.mutable_manifest());
    visit(*record.mutable_config());
  } else {
    visit(*record.mutable_index());
  }
}

// The record with its placements moved; empty if none of them has.
template <class Record, class Locations>
std::optional<std::string> Moved(std::string_view value, const Locations& moved, std::vector<PackLocation>& frames) {
  Record record;
  if (!record.ParseFromArray(value.data(), static_cast<int>(value.size()))) return std::nullopt;
  bool changed = false;
  EachParts(record, [&](store::Parts& parts) {
    for (store::Placement& placement : *parts.mutable_parts()) {
      const auto found = moved.find({PackId{placement.pack()}, placement.offset_bytes()});
      if (found == moved.end()) continue;
      placement = ToPlacement(found->second, placement.raw_bytes(), placement.grouped());
      frames.push_back(found->second);
      changed = true;
    }
  });
  if (!changed) return std::nullopt;
  return record.SerializeAsString();
}

template <class Record>
Status AddFrames(const Database& database, Column column, LiveFrames& frames) {
  return database.Scan(column, [&](std::string_view, std::string_view value) -> Status {
    Record record;
    if (!record.ParseFromArray(value.data(), static_cast<int>(value.size())))
      return Error(Code::kDataLoss, "a record of the index does not parse; run: varve store rebuild-index");
    EachParts(record, [&](store::Parts& parts) {
      for (const store::Placement& placement : parts.parts())
        frames[PackId{placement.pack()}].emplace(placement.offset_bytes(), placement.frame_bytes());
    });
    return Ok();
  });
}

}  // namespace

Result<LiveFrames> FindLiveFrames(const Database& database,
                                  const std::function<bool(std::string_view key)>& chunk_is_live) {
  LiveFrames frames;
  VARVE_RETURN_IF_ERROR(database.Scan(Column::kChunk, [&](std::string_view key, std::string_view value) -> Status {
    if (!chunk_is_live(key)) return Ok();
    store::Placement placement;
    if (!placement.ParseFromArray(value.data(), static_cast<int>(value.size())))
      return Error(Code::kDataLoss, "a placement does not parse; run: varve store rebuild-index");
    frames[PackId{placement.pack()}].emplace(placement.offset_bytes(), placement.frame_bytes());
    return Ok();
  }));
  VARVE_RETURN_IF_ERROR(AddFrames<store::Layer>(database, Column::kLayer, frames));
  VARVE_RETURN_IF_ERROR(AddFrames<store::Image>(database, Column::kImage, frames));
  VARVE_RETURN_IF_ERROR(AddFrames<store::Manifest>(database, Column::kManifest, frames));
  return frames;
}

PackRewriter::PackRewriter(Store& store, LiveFrames& live, std::optional<std::uint64_t> first_journal,
                           std::function<void(std::span<const PackId>)> close_packs)
    : store_(store), live_(live), first_journal_(first_journal), close_packs_(std::move(close_packs)) {}

PackRewriter::~PackRewriter() { ReturnTarget(OpenPacks::Condition::kSound); }

void PackRewriter::ReturnTarget(OpenPacks::Condition condition) {
  if (target_ != nullptr) store_.packs().Return(std::exchange(target_, nullptr), condition);
}

Status PackRewriter::Rewrite(std::span<const PackId> packs) {
  std::set<PackId> old(packs.begin(), packs.end());
  VARVE_RETURN_IF_ERROR(KeepWhatWasTouched(old));
  VARVE_ASSIGN_OR_RETURN(auto durable, DurablePacks(store_.database()));
  NewLocations moved;
  for (const PackId pack : packs) {
    Status copied = first_journal_ ? KeepJournals(pack, durable[pack]) : Ok();
    if (copied.ok()) copied = CopyFrames(pack, moved);
    if (copied.ok()) continue;
    if (copied.error().code() != Code::kDataLoss) return copied;
    LogError("prune leaves pack {:06} alone: {}", pack.number, copied.error().message());
    old.erase(pack);
    std::erase_if(moved, [&](const auto& entry) { return entry.first.first == pack; });
  }
  Committer::Batch batch;
  VARVE_RETURN_IF_ERROR(MovePlacements(old, moved, batch));
  for (const Column column : {Column::kLayer, Column::kImage, Column::kManifest}) {
    VARVE_RETURN_IF_ERROR(MoveRecords(column, old, moved, batch));
  }
  for (const auto& [from, to] : moved) batch.frames.push_back(to);
  batch.dropped_packs.assign(old.begin(), old.end());
  VARVE_RETURN_IF_ERROR(store_.committer().Commit(std::move(batch)));
  ReturnTarget(OpenPacks::Condition::kSound);
  VARVE_RETURN_IF_ERROR(MoveLocators(old, moved));
  const std::vector<PackId> dropped(old.begin(), old.end());
  close_packs_(dropped);
  for (const PackId pack : dropped) {
    const Status removed = store_.fs().Remove(store_.paths().packs() + "/" + pack.FileName());
    if (!removed.ok() && removed.error().code() != Code::kNotFound) return removed;  // a lost pack is dropped too
  }
  packs_dropped_ += dropped.size();
  frames_moved_ += moved.size();
  return store_.fs().SyncDirectory(store_.paths().packs());
}

// Condemns the chunks of frames that are not live. What was touched since the mark began cannot be condemned: its frame
// is live after all.
Status PackRewriter::KeepWhatWasTouched(const std::set<PackId>& packs) {
  return store_.database().Scan(Column::kChunk, [&](std::string_view key, std::string_view value) -> Status {
    store::Placement placement;
    if (!placement.ParseFromArray(value.data(), static_cast<int>(value.size())))
      return Error(Code::kDataLoss, "a placement does not parse");
    const PackId pack{placement.pack()};
    if (!packs.contains(pack) || live_[pack].contains(placement.offset_bytes())) return Ok();
    VARVE_ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(AsBytes(key)));
    if (store_.leases().Condemn(std::span(&digest, 1)).empty())
      live_[pack].emplace(placement.offset_bytes(), placement.frame_bytes());
    return Ok();
  });
}

// Behind `durable_bytes` there are only those of changes that failed.
Status PackRewriter::KeepJournals(PackId pack, std::uint64_t durable_bytes) {
  VARVE_ASSIGN_OR_RETURN(const PackReader reader, PackReader::Open(store_.fs(), store_.paths().packs(), pack));
  return reader.Scan(
      durable_bytes,
      [&](std::uint64_t offset, const FrameHeader& header) -> Status {
        if (header.kind != FrameKind::kJournal) return Ok();
        VARVE_ASSIGN_OR_RETURN(const PackReader::Frame frame, reader.ReadFrame(offset, header.FrameBytes()));
        VARVE_ASSIGN_OR_RETURN(const Bytes payload, DecodePayload(frame.header, frame.bytes));
        ByteSpan rest = payload;
        VARVE_ASSIGN_OR_RETURN(const RecordHeader record, DecodeRecordHeader(rest));
        if (LoadLittle<std::uint64_t>(record.name.bytes.data()) >= *first_journal_) {
          live_[pack].emplace(static_cast<std::uint32_t>(offset), header.FrameBytes());
        }
        return Ok();
      },
      [](std::uint64_t, std::uint64_t) {});
}

Status PackRewriter::CopyFrames(PackId pack, NewLocations& moved) {
  if (live_[pack].empty()) return Ok();  // and the pack need not even open
  VARVE_ASSIGN_OR_RETURN(const PackReader reader, PackReader::Open(store_.fs(), store_.paths().packs(), pack));
  for (const auto& [offset, length] : live_[pack]) {
    VARVE_ASSIGN_OR_RETURN(const PackReader::Frame frame, reader.ReadFrame(offset, length));
    VARVE_RETURN_IF_ERROR(VerifyFrame(frame.header, frame.bytes).In(fmt::format("at {}", offset)));
    VARVE_ASSIGN_OR_RETURN(moved[std::pair(pack, offset)], Append(frame.bytes));
  }
  return Ok();
}

Result<PackLocation> PackRewriter::Append(ByteSpan frame) {
  if (target_ != nullptr && target_->Full(static_cast<std::uint32_t>(frame.size())))
    ReturnTarget(OpenPacks::Condition::kSound);
  if (target_ == nullptr) {
    VARVE_ASSIGN_OR_RETURN(target_, store_.packs().Lease());
  }
  auto location = target_->AppendFrame(frame);
  if (!location.ok()) ReturnTarget(OpenPacks::Condition::kFailed);
  return location;
}

Status PackRewriter::MovePlacements(const std::set<PackId>& packs, const NewLocations& moved, Committer::Batch& batch) {
  return store_.database().Scan(Column::kChunk, [&](std::string_view key, std::string_view value) -> Status {
    store::Placement placement;
    if (!placement.ParseFromArray(value.data(), static_cast<int>(value.size())))
      return Error(Code::kDataLoss, "a placement does not parse");
    if (!packs.contains(PackId{placement.pack()})) return Ok();
    const auto found = moved.find({PackId{placement.pack()}, placement.offset_bytes()});
    Committer::Move move{Column::kChunk, std::string(key), std::string(value), std::nullopt};
    if (found != moved.end())
      move.to = ToPlacement(found->second, placement.raw_bytes(), placement.grouped()).SerializeAsString();
    batch.moves.push_back(std::move(move));
    return Ok();
  });
}

Status PackRewriter::MoveRecords(Column column, const std::set<PackId>& packs, const NewLocations& moved,
                                 Committer::Batch& batch) {
  if (packs.empty()) return Ok();
  return store_.database().Scan(column, [&](std::string_view key, std::string_view value) -> Status {
    std::optional<std::string> to;
    if (column == Column::kLayer) to = Moved<store::Layer>(value, moved, batch.frames);
    if (column == Column::kImage) to = Moved<store::Image>(value, moved, batch.frames);
    if (column == Column::kManifest) to = Moved<store::Manifest>(value, moved, batch.frames);
    if (to) batch.moves.push_back({column, std::string(key), std::string(value), std::move(to)});
    return Ok();
  });
}

// Of all layers that there are by now: one that was committed since the mark may have looked its chunks up before they
// moved. One that is committed later looks itself whether packs have gone (Store::CommitLayer).
Status PackRewriter::MoveLocators(const std::set<PackId>& packs, const NewLocations& moved) {
  VARVE_ASSIGN_OR_RETURN(const std::vector<Digest> layers, AllLayers(store_.database()));
  for (const Digest& diff_id : layers) {
    const auto layer = store_.index_files().OpenLayer(diff_id);
    if (!layer.ok()) continue;  // damaged: whoever makes it good writes the table anew
    VARVE_RETURN_IF_ERROR(MoveLocatorsOf(*layer, packs, moved));
  }
  return Ok();
}

Status PackRewriter::MoveLocatorsOf(const MappedLayer& layer, const std::set<PackId>& packs,
                                    const NewLocations& moved) {
  VARVE_ASSIGN_OR_RETURN(LocatorTable table,
                         store_.index_files().OpenLocators(layer, LocatorTable::Access::kReadWrite));
  for (std::uint32_t ordinal = 0; ordinal < table.size(); ++ordinal) {
    const Locator locator = table.Get(ordinal);
    if (!packs.contains(PackId{locator.pack})) continue;
    const auto found = moved.find({PackId{locator.pack}, locator.offset_bytes});
    if (found != moved.end()) {
      table.Set(ordinal, ToLocator(found->second));
      continue;
    }
    // Two streams may have written the chunk: the copy that the index does not name was not moved.
    VARVE_RETURN_IF_ERROR(SetWord(store_.database(), table, ordinal, DigestOf(layer.index.chunks()[ordinal].sha256())));
  }
  return Ok();
}

}  // namespace varve
