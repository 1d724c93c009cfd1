#include "cached/store/store.h"

#include <fmt/core.h>

#include <algorithm>

#include "cached/base/log.h"
#include "cached/content/sha256.h"
#include "cached/pack/pack_reader.h"
#include "cached/tree/merge.h"

namespace varve {
namespace {

constexpr std::string_view kStoreVersion = "1";
constexpr std::string_view kSettingsKey = "settings";
// Of the layer indexes that are merged, for TakeLargeTurn. A merge takes at most about as much beside them.
constexpr std::uint64_t kLargeMergeBytes = 16 << 20;

Status CheckVersion(Fs& fs, const RootPaths& paths) {
  const auto written = ReadWholeFile(fs, paths.version(), 64);
  if (!written.ok() && written.error().code() == Code::kNotFound) {
    return WriteFileAtomically(fs, paths.version(), AsBytes(std::string(kStoreVersion) + "\n"));
  }
  if (!written.ok()) return written.error();
  std::string version(AsText(*written));
  while (!version.empty() && version.back() == '\n') version.pop_back();
  if (version != kStoreVersion) {
    return Error(Code::kFailedPrecondition,
                 fmt::format("{}: the store has version {}, this varve knows version {}: use the varve that made it",
                             paths.root, version, kStoreVersion));
  }
  return Ok();
}

std::string SettingsOf(const ChunkerOptions& chunker) {
  store::StoreSettings settings;
  settings.set_chunk_min_bytes(chunker.min_bytes);
  settings.set_chunk_average_bytes(chunker.average_bytes);
  settings.set_chunk_max_bytes(chunker.max_bytes);
  return settings.SerializeAsString();
}

void PutUse(Database::Batch& batch, const Digest& manifest, std::chrono::system_clock::time_point now) {
  store::Use use;
  use.set_used_unix_nanoseconds(now.time_since_epoch() / std::chrono::nanoseconds(1));
  batch.Put(Column::kUse, KeyOf(manifest), use.SerializeAsString());
}

}  // namespace

Result<std::unique_ptr<Store>> Store::Open(Fs& fs, const RootPaths& paths, const StoreOptions& options) {
  for (const std::string& directory : {paths.root, paths.packs(), paths.index(), paths.run()}) {
    VARVE_RETURN_IF_ERROR(fs.MakeDirectories(directory));
  }
  VARVE_RETURN_IF_ERROR(CheckVersion(fs, paths));
  VARVE_ASSIGN_OR_RETURN(auto database, Database::Open(paths.db(), options.database_files));
  VARVE_ASSIGN_OR_RETURN(const auto kept, GetRecord<store::StoreSettings>(*database, Column::kMeta, kSettingsKey));
  const ChunkerOptions sizes =
      kept ? ChunkerOptions{kept->chunk_min_bytes(), kept->chunk_average_bytes(), kept->chunk_max_bytes()}
           : options.chunker;
  VARVE_ASSIGN_OR_RETURN(const Chunker chunker, Chunker::Create(sizes));
  std::unique_ptr<Store> store(new Store(fs, paths, options, chunker, std::move(database)));
  VARVE_RETURN_IF_ERROR(store->Recover());
  if (!kept) {
    JournaledChanges changes;
    changes.Put(Column::kMeta, kSettingsKey, SettingsOf(sizes));
    VARVE_RETURN_IF_ERROR(store->CommitChanges(std::move(changes)));
  }
  return store;
}

Store::Store(Fs& fs, RootPaths paths, const StoreOptions& options, Chunker chunker, std::unique_ptr<Database> database)
    : fs_(fs),
      paths_(std::move(paths)),
      options_(options),
      chunker_(chunker),
      database_(std::move(database)),
      pool_(std::make_unique<ThreadPool>(options.compression_threads, 256)) {}

std::string Store::Counters() const {
  store::Counters counters;
  counters.set_next_pack(packs_->next_number());
  counters.set_next_slot(next_slot_);
  counters.set_next_journal(next_journal_);
  return counters.SerializeAsString();
}

std::unique_ptr<ChunkWriter> Store::OpenWriter() {
  return std::make_unique<ChunkWriter>(*database_, *packs_, *committer_, leases_, *pool_, options_.writer);
}

Result<std::optional<store::Blob>> Store::FindBlob(const Digest& blob) const {
  return GetRecord<store::Blob>(*database_, Column::kBlob, KeyOf(blob));
}
Result<std::optional<store::Layer>> Store::FindLayer(const Digest& diff_id) const {
  return GetRecord<store::Layer>(*database_, Column::kLayer, KeyOf(diff_id));
}
Result<std::optional<store::Image>> Store::FindImage(const ChainId& chain_id) const {
  return GetRecord<store::Image>(*database_, Column::kImage, KeyOf(chain_id.digest));
}
Result<std::optional<store::Manifest>> Store::FindManifest(const Digest& manifest) const {
  return GetRecord<store::Manifest>(*database_, Column::kManifest, KeyOf(manifest));
}
Result<std::optional<store::Ref>> Store::FindRef(std::string_view name) const {
  return GetRecord<store::Ref>(*database_, Column::kRef, name);
}

Status Store::CommitLayer(ChunkWriter& writer, const LayerCommit& layer) {
  VARVE_ASSIGN_OR_RETURN(const MappedFile index, layer.index->Map());
  VARVE_RETURN_IF_ERROR(LayerIndex::Open(index.bytes(), layer.diff_id, IndexCheck::kFull));
  VARVE_RETURN_IF_ERROR(writer.Flush());
  store::Layer record;
  record.set_tar_bytes(layer.tar_bytes);
  record.set_chunk_count(layer.chunk_count);
  VARVE_ASSIGN_OR_RETURN(*record.mutable_recipe(),
                         writer.AppendParts(FrameKind::kTarRecipe, layer.recipe, layer.recipe_bytes));
  VARVE_ASSIGN_OR_RETURN(*record.mutable_index(),
                         writer.AppendRecord(FrameKind::kLayerIndex, layer.diff_id, index.bytes()));
  VARVE_RETURN_IF_ERROR(index_files_->PublishLayer(layer.diff_id, *layer.index, writer.locators()));

  store::Blob blob;
  blob.set_size_bytes(layer.blob_bytes);
  blob.set_media_type(layer.media_type);
  blob.set_diff_id(std::string(KeyOf(layer.diff_id)));
  blob.set_source(layer.source);
  JournaledChanges changes;
  changes.Put(Column::kBlob, KeyOf(layer.blob), blob.SerializeAsString());
  Database::Batch records;
  records.Put(Column::kLayer, KeyOf(layer.diff_id), record.SerializeAsString());
  VARVE_RETURN_IF_ERROR(Commit(writer, std::move(changes), std::move(records)));
  VARVE_ASSIGN_OR_RETURN(const auto durable, DurablePacks(*database_));
  return index_files_->MendLocators(layer.diff_id, durable);
}

Result<Store::LargeTurn> Store::TurnToMerge(std::span<const Digest> diff_ids, const KeepWaiting& keep_waiting) {
  std::uint64_t bytes = 0;
  for (const Digest& diff_id : diff_ids) {
    VARVE_ASSIGN_OR_RETURN(const auto layer, FindLayer(diff_id));
    if (layer) bytes += layer->index().total_bytes();
  }
  return bytes > kLargeMergeBytes ? TakeLargeTurn(keep_waiting) : LargeTurn();
}

Status Store::AddImage(ChunkWriter& writer, std::span<const Digest> diff_ids, const ChainId& chain_id,
                       const KeepWaiting& keep_waiting, Database::Batch& records) {
  VARVE_ASSIGN_OR_RETURN(const LargeTurn turn, TurnToMerge(diff_ids, keep_waiting));
  std::vector<MappedLayer> mapped;
  std::vector<LayerIndex> layers;
  for (const Digest& diff_id : diff_ids) {
    VARVE_ASSIGN_OR_RETURN(MappedLayer layer, index_files_->OpenLayer(diff_id));
    layers.push_back(layer.index);
    mapped.push_back(std::move(layer));
  }
  VARVE_ASSIGN_OR_RETURN(const auto draft, index_files_->StartDraft());
  VARVE_RETURN_IF_ERROR(MergeLayers(layers, draft->file()));
  VARVE_ASSIGN_OR_RETURN(const MappedFile index, draft->Map());
  VARVE_ASSIGN_OR_RETURN(const ImageIndex merged, ImageIndex::Open(index.bytes(), chain_id, IndexCheck::kFull));
  VARVE_RETURN_IF_ERROR(merged.CheckAgainst(layers));
  store::Image record;
  for (const Digest& diff_id : diff_ids) record.add_diff_ids(std::string(KeyOf(diff_id)));
  VARVE_ASSIGN_OR_RETURN(*record.mutable_index(),
                         writer.AppendRecord(FrameKind::kImageIndex, chain_id.digest, index.bytes()));
  VARVE_RETURN_IF_ERROR(index_files_->PublishImage(chain_id, *draft));
  records.Put(Column::kImage, KeyOf(chain_id.digest), record.SerializeAsString());
  return Ok();
}

Status Store::CommitImage(ChunkWriter& writer, const ImageCommit& image, const KeepWaiting& keep_waiting) {
  Database::Batch records;
  // Leased before it is looked up: what is found then stays.
  const bool alive = writer.session().Touch(image.chain_id.digest);
  VARVE_ASSIGN_OR_RETURN(const auto known, FindImage(image.chain_id));
  if (!known || !alive) {
    VARVE_RETURN_IF_ERROR(AddImage(writer, image.diff_ids, image.chain_id, keep_waiting, records));
  }
  store::Manifest record;
  VARVE_ASSIGN_OR_RETURN(*record.mutable_manifest(),
                         writer.AppendRecord(FrameKind::kManifest, image.manifest_digest, image.manifest));
  VARVE_ASSIGN_OR_RETURN(*record.mutable_config(),
                         writer.AppendRecord(FrameKind::kConfig, image.config_digest, image.config));
  record.set_config_digest(std::string(KeyOf(image.config_digest)));
  for (const Digest& diff_id : image.diff_ids) record.add_diff_ids(std::string(KeyOf(diff_id)));
  record.set_chain_id(std::string(KeyOf(image.chain_id.digest)));
  record.set_pulled_unix(std::chrono::system_clock::to_time_t(image.now));
  PutUse(records, image.manifest_digest, image.now);
  JournaledChanges changes;
  changes.Put(Column::kManifest, KeyOf(image.manifest_digest), record.SerializeAsString());
  if (image.name) {
    store::Ref ref;
    ref.set_manifest_digest(std::string(KeyOf(image.manifest_digest)));
    ref.set_source(image.source);
    if (image.index) ref.set_index_digest(std::string(KeyOf(*image.index)));
    ref.set_updated_unix_nanoseconds(image.now.time_since_epoch() / std::chrono::nanoseconds(1));
    changes.Put(Column::kRef, *image.name, ref.SerializeAsString());
  }
  const MutexLock names(names_mutex_);
  return Commit(writer, std::move(changes), std::move(records));
}

Status Store::EnsureImage(ChunkWriter& writer, std::span<const Digest> diff_ids, const ChainId& chain_id,
                          const KeepWaiting& keep_waiting) {
  for (const Digest& diff_id : diff_ids) static_cast<void>(writer.session().Touch(diff_id));
  const bool alive = writer.session().Touch(chain_id.digest);
  VARVE_ASSIGN_OR_RETURN(const auto known, FindImage(chain_id));
  if (known && alive) return Ok();
  Database::Batch records;
  VARVE_RETURN_IF_ERROR(AddImage(writer, diff_ids, chain_id, keep_waiting, records));
  return Commit(writer, {}, std::move(records));
}

Store::JournalNumber::JournalNumber(Store& store) : store_(store) {
  MutexLock lock(store_.journal_mutex_);
  sequence_ = store_.next_journal_++;
  store_.journals_on_their_way_.insert(sequence_);
}

Store::JournalNumber::~JournalNumber() {
  MutexLock lock(store_.journal_mutex_);
  store_.journals_on_their_way_.erase(sequence_);
  if (!visible_) store_.last_failed_journal_ = std::max(store_.last_failed_journal_, sequence_);
  store_.journal_done_.NotifyAll();
}

void Store::JournalNumber::WaitForEarlier() {
  MutexLock lock(store_.journal_mutex_);
  while (*store_.journals_on_their_way_.begin() < sequence_) store_.journal_done_.Wait(lock);
}

// The record of a change that failed may lie in a pack for good, and later commits make it durable: a rebuild must not
// replay it.
Status Store::VoidFailedJournals() {
  {
    MutexLock lock(journal_mutex_);
    if (last_failed_journal_ == 0) return Ok();
  }
  VARVE_RETURN_IF_ERROR(CheckpointJournal());
  return Ok();
}

Status Store::AppendJournal(ChunkWriter& writer, const store::Journal& journal) {
  Digest name;
  StoreLittle(name.bytes.data(), journal.sequence());
  VARVE_RETURN_IF_ERROR(writer.AppendRecord(FrameKind::kJournal, name, AsBytes(journal.SerializeAsString())));
  return Ok();
}

Result<std::uint64_t> Store::CheckpointJournal() {
  // The scan sees every change with an earlier number: they are void for a rebuild.
  JournalNumber number(*this);
  number.WaitForEarlier();
  JournaledChanges all;
  all.journal_.set_checkpoint(true);
  all.journal_.set_sequence(number.sequence());
  all.Put(Column::kMeta, kSettingsKey, SettingsOf(chunker_.options()));
  for (const Column column : kJournaledColumns) {
    VARVE_RETURN_IF_ERROR(database_->Scan(column, [&](std::string_view key, std::string_view value) -> Status {
      store::Journal::Change& change = *all.journal_.add_changes();
      change.set_column(static_cast<std::uint32_t>(column));
      change.set_key(std::string(key));
      change.set_value(std::string(value));
      return Ok();
    }));
  }
  const auto writer = OpenWriter();
  VARVE_RETURN_IF_ERROR(Commit(*writer, std::move(all), {}));
  number.SetVisible();
  MutexLock lock(journal_mutex_);
  if (last_failed_journal_ < number.sequence()) last_failed_journal_ = 0;
  return number.sequence();
}

Status Store::Commit(ChunkWriter& writer, JournaledChanges changes, Database::Batch more) {
  std::optional<JournalNumber> number;  // until the commit
  if (!changes.empty() && !changes.journal_.checkpoint()) {
    VARVE_RETURN_IF_ERROR(VoidFailedJournals());
    changes.journal_.set_sequence(number.emplace(*this).sequence());
  }
  if (!changes.empty()) VARVE_RETURN_IF_ERROR(AppendJournal(writer, changes.journal_));
  VARVE_ASSIGN_OR_RETURN(Committer::Batch batch, writer.Finish());
  batch.records = std::move(changes.batch_);
  batch.records.Append(std::move(more));
  VARVE_RETURN_IF_ERROR(committer_->Commit(std::move(batch)));
  if (number) number->SetVisible();
  writer.session().SetSound();
  return Ok();
}

Status Store::CommitChanges(JournaledChanges changes) {
  const auto writer = OpenWriter();
  return Commit(*writer, std::move(changes), {});
}

Status Store::CommitUse(const Digest& manifest, std::chrono::system_clock::time_point now) {
  Database::Batch batch;
  PutUse(batch, manifest, now);
  return CommitLocal(std::move(batch));
}

Status Store::CommitLocal(Database::Batch batch) {
  Committer::Batch committed;
  committed.records = std::move(batch);
  return committer_->Commit(std::move(committed));
}

Result<Bytes> Store::ReadParts(const store::Parts& parts) const { return index_files_->ReadParts(parts); }

}  // namespace varve
