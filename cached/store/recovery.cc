// Opening a store after whatever happened to it.
//
// The durability order (committer.h) leaves little to do. The index is right: RocksDB recovers it to its last synced
// batch. A pack may be longer than the index says (frames of a commit that never was) and is cut there; a pack that the
// index does not know has nothing that anybody refers to; a pack shorter than the index says was damaged from outside,
// which is reported and left to `store verify`. Index files are copies: stray ones go, missing ones come back when they
// are opened. Locator tables are written through a mapping and are trusted only if the machine has not crashed since:
// run/boot names the boot they were written in. Even so a kill leaves words to frames that were never committed, or to
// packs that a prune had just dropped: those are looked up again. Files of blobs without a record go too, while uploads
// stay for those who come back to them (blob_files.h).

#include <fmt/core.h>

#include <algorithm>
#include <fstream>

#include "cached/base/log.h"
#include "cached/content/sha256.h"
#include "cached/pack/pack_reader.h"
#include "cached/store/store.h"
#include "cached/tree/slot.h"

namespace varve {
namespace {

// Packs that are open for appending after a start, the emptiest first.
constexpr std::size_t kReopenedPacks = 8;

std::optional<PackId> PackOfFile(std::string_view name) {
  if (name.size() != 11 || !name.ends_with(".pack")) return std::nullopt;
  PackId id;
  for (const char c : name.substr(0, 6)) {
    if (c < '0' || c > '9') return std::nullopt;
    id.number = id.number * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return id;
}

std::string BootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  std::getline(file, boot);
  return boot;
}

}  // namespace

Result<std::vector<Digest>> AllLayers(const Database& database) {
  std::vector<Digest> layers;
  VARVE_RETURN_IF_ERROR(database.Scan(Column::kLayer, [&](std::string_view key, std::string_view) -> Status {
    VARVE_ASSIGN_OR_RETURN(const Digest diff_id, Digest::FromBytes(AsBytes(key)));
    layers.push_back(diff_id);
    return Ok();
  }));
  return layers;
}

Result<std::map<PackId, std::uint64_t>> DurablePacks(const Database& database) {
  std::map<PackId, std::uint64_t> packs;
  VARVE_RETURN_IF_ERROR(database.Scan(Column::kPack, [&](std::string_view key, std::string_view value) -> Status {
    store::Pack record;
    PackId id;
    for (const char c : key) id.number = id.number << 8 | static_cast<std::uint8_t>(c);
    if (!record.ParseFromArray(value.data(), static_cast<int>(value.size())))
      return Error(Code::kDataLoss, "index: a pack record does not parse");
    packs[id] = record.durable_bytes();
    return Ok();
  }));
  return packs;
}

Status Store::Recover() {
  VARVE_ASSIGN_OR_RETURN(const auto counters, GetRecord<store::Counters>(*database_, Column::kMeta, "counters"));
  VARVE_ASSIGN_OR_RETURN(const auto durable, DurablePacks(*database_));
  std::uint32_t next_pack = counters ? counters->next_pack() : 1;
  if (counters) {
    next_slot_ = counters->next_slot();
    next_journal_ = counters->next_journal();
  }
  std::vector<std::pair<std::uint64_t, PackId>> reusable;
  VARVE_ASSIGN_OR_RETURN(const auto names, fs_.List(paths_.packs()));
  for (const std::string& name : names) {
    const std::string path = paths_.packs() + "/" + name;
    const auto id = PackOfFile(name);
    if (!id || !durable.contains(*id)) {
      VARVE_RETURN_IF_ERROR(fs_.Remove(path));
      continue;
    }
    next_pack = std::max(next_pack, id->number + 1);
    VARVE_ASSIGN_OR_RETURN(const std::uint64_t size, fs_.FileSize(path));
    if (size < durable.at(*id)) {
      LogError("{}: {} bytes are missing at its end; run: varve store verify", path, durable.at(*id) - size);
    } else {
      reusable.emplace_back(durable.at(*id), *id);
    }
  }
  packs_ = std::make_unique<OpenPacks>(fs_, paths_.packs(), next_pack);
  std::sort(reusable.begin(), reusable.end());
  for (std::size_t i = 0; i < reusable.size(); ++i) {
    const auto& [bytes, id] = reusable[i];
    VARVE_ASSIGN_OR_RETURN(PackWriter writer, PackWriter::Reopen(fs_, paths_.packs(), id, bytes));
    if (i < kReopenedPacks && !writer.Full(kFrameRawBytesMax))
      packs_->AddIdle(std::make_shared<PackWriter>(std::move(writer)));
  }
  committer_ = std::make_unique<Committer>(*database_, *packs_, durable, [this] { return Counters(); });
  index_files_ = std::make_unique<IndexFiles>(fs_, paths_, *database_);

  blob_files_ = std::make_unique<BlobFiles>(fs_, paths_);
  VARVE_RETURN_IF_ERROR(blob_files_->Recover([this](const Digest& blob) -> Result<bool> {
    VARVE_ASSIGN_OR_RETURN(const auto original, database_->Get(Column::kOriginal, KeyOf(blob)));
    return original.has_value();
  }));

  const std::string boot = BootId();
  const std::string boot_file = paths_.run() + "/boot";
  const auto written = ReadWholeFile(fs_, boot_file, 256);
  const bool same_boot = written.ok() && AsText(*written) == boot;
  VARVE_RETURN_IF_ERROR(index_files_->Sweep(same_boot ? IndexFiles::Tables::kKeep : IndexFiles::Tables::kDistrust,
                                            IndexFiles::Moment::kOpening, [](const Digest&) { return false; }));
  VARVE_RETURN_IF_ERROR(index_files_->MendLocators(durable));
  return same_boot ? Ok() : WriteFileAtomically(fs_, boot_file, AsBytes(boot));
}

Result<std::uint32_t> Store::SlotOf(const Digest& diff_id) { return SlotOf("l" + std::string(KeyOf(diff_id))); }
Result<std::uint32_t> Store::SlotOf(const ChainId& chain_id) {
  return SlotOf("i" + std::string(KeyOf(chain_id.digest)));
}

Result<std::uint32_t> Store::SlotOf(const std::string& key) {
  VARVE_ASSIGN_OR_RETURN(const auto known, GetRecord<store::Slot>(*database_, Column::kSlot, key));
  if (known) return known->slot();
  std::uint32_t slot;
  {
    MutexLock lock(slot_mutex_);
    const auto [found, fresh] = slots_on_their_way_.try_emplace(key, 0);
    if (fresh) found->second = next_slot_++;
    slot = found->second;
  }
  if (slot > kSlotMax) return Error(Code::kResourceExhausted, "all node-wide index numbers are used");
  store::Slot record;
  record.set_slot(slot);
  JournaledChanges changes;
  changes.Put(Column::kSlot, key, record.SerializeAsString());
  VARVE_RETURN_IF_ERROR(CommitChanges(std::move(changes)));
  return slot;
}

// The collector may move the chunk between its look-up and its reading: then it is looked up again.
Result<Bytes> Store::ReadChunk(const Digest& digest) const {
  for (std::optional<PackLocation> last;;) {
    VARVE_ASSIGN_OR_RETURN(const auto placement,
                           GetRecord<store::Placement>(*database_, Column::kChunk, KeyOf(digest)));
    if (!placement) return Error(Code::kNotFound, "chunk " + digest.ToString() + ": is not stored");
    const PackLocation location = LocationOf(*placement);
    auto chunk = ReadChunkAt(digest, location);
    if (chunk.ok() || location == last) return chunk;
    last = location;
  }
}

Result<Bytes> Store::ReadChunkAt(const Digest& digest, const PackLocation& location) const {
  VARVE_ASSIGN_OR_RETURN(const PackReader pack, PackReader::Open(fs_, paths_.packs(), location.pack));
  const std::string where =
      fmt::format("chunk {} in pack {:06} at {}", digest.ToString(), location.pack.number, location.offset_bytes);
  VARVE_ASSIGN_OR_RETURN(const PackReader::Frame frame, pack.ReadFrame(location.offset_bytes, location.length_bytes));
  VARVE_ASSIGN_OR_RETURN(Bytes payload, VerifyFrame(frame.header, frame.bytes).In(where));
  if (frame.header.kind == FrameKind::kChunk) {
    if (frame.header.sha256 != digest) return Error(Code::kDataLoss, where + ": another chunk is there");
    return payload;
  }
  VARVE_ASSIGN_OR_RETURN(const GroupView group, GroupView::Open(payload).In(where));
  const auto chunk = group.Find(digest);
  if (!chunk || Sha256Of(*chunk) != digest) return Error(Code::kDataLoss, where + ": another chunk is there");
  return Bytes(chunk->begin(), chunk->end());
}

Result<Locator> Store::ResolveLocator(const Digest& diff_id, std::uint32_t ordinal) {
  VARVE_ASSIGN_OR_RETURN(const MappedLayer layer, index_files_->OpenLayer(diff_id));
  if (ordinal >= layer.index.chunks().size()) return Error(Code::kInvalidArgument, "no such chunk in this layer");
  const Digest digest = DigestOf(layer.index.chunks()[ordinal].sha256());
  const auto content = ReadChunk(digest);
  if (!content.ok()) {
    const Error error = content.error().In("layer " + diff_id.ToString());
    if (const auto left_out = damage_log_.Admit(error.message())) LogError("{}{}", error.message(), *left_out);
    return error;
  }
  VARVE_ASSIGN_OR_RETURN(LocatorTable table, index_files_->OpenLocators(layer, LocatorTable::Access::kReadWrite));
  VARVE_RETURN_IF_ERROR(SetWord(*database_, table, ordinal, digest));
  const Locator locator = table.Get(ordinal);
  if (locator.pack == 0) return Error(Code::kNotFound, "chunk " + digest.ToString() + ": is not stored");
  return locator;
}

}  // namespace varve
