#include "cached/store/database.h"

#include <fmt/core.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <array>
#include <atomic>
#include <iterator>

namespace varve {
namespace {

constexpr std::array<const char*, kColumns> kNames = {
    "default",  "chunk", "blob", "layer", "image",    "manifest",        "ref",
    "pin",      "slot",  "pack", "use",   "original", "repository_blob", "repository_manifest",
    "referrer", "tag"};
constexpr std::size_t kBlockCacheBytes = 8 << 20;
constexpr std::size_t kMemtableBytes = 8 << 20;
constexpr std::size_t kTableBytes = 16 << 20;

Status FromRocks(const rocksdb::Status& status, std::string_view doing) {
  if (status.ok()) return Ok();
  const Code code = [&] {
    if (status.IsNotFound()) return Code::kNotFound;
    if (status.IsNoSpace()) return Code::kResourceExhausted;
    if (status.IsCorruption()) return Code::kDataLoss;
    if (status.IsBusy() || status.IsTryAgain()) return Code::kUnavailable;
    return Code::kUnknown;
  }();
  std::string message = fmt::format("index: {}: {}", doing, status.ToString());
  if (status.IsNoSpace()) message += " (no space left on device)";
  if (status.IsCorruption()) message += "; stop varve and run: varve store rebuild-index";
  return Error(code, std::move(message));
}

rocksdb::Slice ToSlice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// Settings and their reasons: docs/design/store.md. 7.8.3 hazards avoided: no async_io, no SST ingestion, few
// background jobs.
rocksdb::ColumnFamilyOptions ColumnOptions(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.filter_policy.reset(rocksdb::NewRibbonFilterPolicy(10));
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = rocksdb::kNoCompression;  // keys are digests, values a few numbers: nothing to compress
  options.write_buffer_size = kMemtableBytes;
  options.max_write_buffer_number = 2;
  options.target_file_size_base = kTableBytes;
  return options;
}

rocksdb::DBOptions DatabaseOptions() {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.allow_fallocate = false;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1 << 20;
  options.max_background_jobs = 2;
  options.max_open_files = 256;
  options.db_write_buffer_size = 2 * kMemtableBytes;
  options.max_total_wal_size = 4 * kMemtableBytes;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  return options;
}

}  // namespace

struct Database::Impl {
  std::atomic<bool> write_failed = false;
  std::shared_ptr<rocksdb::Cache> cache;  // of blocks
  std::unique_ptr<rocksdb::DB> db;
  std::array<rocksdb::ColumnFamilyHandle*, kColumns> handles{};

  rocksdb::ColumnFamilyHandle* handle(Column column) const { return handles[static_cast<std::size_t>(column)]; }
  ~Impl() {
    for (rocksdb::ColumnFamilyHandle* handle : handles) {
      if (handle != nullptr) db->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
    }
  }
};

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::~Database() = default;

Result<std::unique_ptr<Database>> Database::Open(const std::string& path, rocksdb::Env* files) {
  rocksdb::DBOptions options = DatabaseOptions();
  if (files != nullptr) options.env = files;
  const auto cache = rocksdb::NewLRUCache(kBlockCacheBytes);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  families.reserve(kColumns);
  for (const char* name : kNames) families.emplace_back(name, ColumnOptions(cache));
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  VARVE_RETURN_IF_ERROR(FromRocks(rocksdb::DB::Open(options, path, families, &handles, &db), "open " + path));
  auto impl = std::make_unique<Impl>();
  impl->cache = cache;
  impl->db.reset(db);
  std::copy(handles.begin(), handles.end(), impl->handles.begin());
  return std::unique_ptr<Database>(new Database(std::move(impl)));
}

Status Database::Destroy(const std::string& path) {
  return FromRocks(rocksdb::DestroyDB(path, rocksdb::Options(DatabaseOptions(), rocksdb::ColumnFamilyOptions())),
                   "remove " + path);
}

Result<std::optional<std::string>> Database::Get(Column column, std::string_view key) const {
  rocksdb::PinnableSlice value;
  const rocksdb::Status status = impl_->db->Get({}, impl_->handle(column), ToSlice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  VARVE_RETURN_IF_ERROR(FromRocks(status, "get"));
  return std::optional<std::string>(value.ToString());
}

Result<std::vector<std::optional<std::string>>> Database::MultiGet(Column column,
                                                                   std::span<const std::string_view> keys) const {
  std::vector<rocksdb::Slice> slices;
  slices.reserve(keys.size());
  for (const std::string_view key : keys) slices.push_back(ToSlice(key));
  std::vector<rocksdb::PinnableSlice> found(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  impl_->db->MultiGet({}, impl_->handle(column), keys.size(), slices.data(), found.data(), statuses.data());
  std::vector<std::optional<std::string>> values(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (statuses[i].IsNotFound()) continue;
    VARVE_RETURN_IF_ERROR(FromRocks(statuses[i], "get"));
    values[i] = found[i].ToString();
  }
  return values;
}

Status Database::Scan(Column column, const Visit& visit) const {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(impl_->db->NewIterator(options, impl_->handle(column)));
  for (it->SeekToFirst(); it->Valid(); it->Next()) VARVE_RETURN_IF_ERROR(visit(ToView(it->key()), ToView(it->value())));
  return FromRocks(it->status(), "scan");
}

Status Database::ScanFrom(Column column, std::string_view first, const VisitUntil& visit) const {
  const std::unique_ptr<rocksdb::Iterator> it(impl_->db->NewIterator({}, impl_->handle(column)));
  for (it->Seek(ToSlice(first)); it->Valid(); it->Next()) {
    VARVE_ASSIGN_OR_RETURN(const bool more, visit(ToView(it->key()), ToView(it->value())));
    if (!more) return Ok();
  }
  return FromRocks(it->status(), "scan");
}

Database::Batch::Batch() = default;
Database::Batch::~Batch() = default;
Database::Batch::Batch(Batch&&) noexcept = default;
Database::Batch& Database::Batch::operator=(Batch&&) noexcept = default;

void Database::Batch::Put(Column column, std::string_view key, std::string_view value) {
  operations_.push_back({column, false, std::string(key), std::string(value)});
}

void Database::Batch::Erase(Column column, std::string_view key) {
  operations_.push_back({column, true, std::string(key), {}});
}

void Database::Batch::Append(Batch other) {
  operations_.insert(operations_.end(), std::make_move_iterator(other.operations_.begin()),
                     std::make_move_iterator(other.operations_.end()));
}

Status Database::Write(const Batch& batch) {
  rocksdb::WriteBatch changes;
  for (const Batch::Operation& operation : batch.operations_) {
    rocksdb::ColumnFamilyHandle* const handle = impl_->handle(operation.column);
    VARVE_RETURN_IF_ERROR(FromRocks(
        operation.erased ? changes.Delete(handle, operation.key) : changes.Put(handle, operation.key, operation.value),
        "batch"));
  }
  rocksdb::WriteOptions options;
  options.sync = true;
  if (impl_->write_failed) return Error(Code::kUnavailable, "index: an earlier write failed; run: varve system stop");
  Status written = FromRocks(impl_->db->Write(options, &changes), "write");
  if (!written.ok()) impl_->write_failed = true;
  return written;
}

Status Database::Compact() {
  for (rocksdb::ColumnFamilyHandle* const handle : impl_->handles) {
    VARVE_RETURN_IF_ERROR(FromRocks(impl_->db->Flush({}, handle), "flush"));
    VARVE_RETURN_IF_ERROR(FromRocks(impl_->db->CompactRange({}, handle, nullptr, nullptr), "compact"));
  }
  return Ok();
}

Status Database::ReleaseMemory() {
  for (rocksdb::ColumnFamilyHandle* const handle : impl_->handles)
    VARVE_RETURN_IF_ERROR(FromRocks(impl_->db->Flush({}, handle), "flush"));
  impl_->cache->EraseUnRefEntries();
  return Ok();
}

}  // namespace varve
