#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cached/base/result.h"

namespace rocksdb {
class Env;
}

namespace varve {

// RocksDB column families, by what they are keyed with; records.proto says what they hold. The numbers are in journals.
enum class Column : std::uint8_t {
  kMeta = 0,
  kChunk = 1,
  kBlob = 2,
  kLayer = 3,
  kImage = 4,
  kManifest = 5,
  kRef = 6,
  kPin = 7,
  kSlot = 8,
  kPack = 9,
  kUse = 10,
  kOriginal = 11,
  kRepositoryBlob = 12,
  kRepositoryManifest = 13,
  kReferrer = 14,
  kTag = 15
};
inline constexpr std::size_t kColumns = 16;

// The only door to RocksDB: keys and values are bytes, errors are ours. Thread-safe.
class Database {
 public:
  // Creates it if absent. kDataLoss if RocksDB finds it corrupted; the message says to run rebuild-index. `files` is
  // where RocksDB keeps its files, none: the real disk; it must outlive the database.
  static Result<std::unique_ptr<Database>> Open(const std::string& path, rocksdb::Env* files = nullptr);
  // Removes the database at `path`, which nobody has open; nothing happens if there is none.
  static Status Destroy(const std::string& path);
  ~Database();

  Result<std::optional<std::string>> Get(Column column, std::string_view key) const;
  // `values[i]` for `keys[i]`.
  Result<std::vector<std::optional<std::string>>> MultiGet(Column column, std::span<const std::string_view> keys) const;
  // Every key of the column in order, as of one moment.
  using Visit = std::function<Status(std::string_view key, std::string_view value)>;
  Status Scan(Column column, const Visit& visit) const;
  // The same from the first key on that is not before `first`, until `visit` returns false.
  using VisitUntil = std::function<Result<bool>(std::string_view key, std::string_view value)>;
  Status ScanFrom(Column column, std::string_view first, const VisitUntil& visit) const;

  // Changes that become visible and durable together.
  class Batch {
   public:
    Batch();
    ~Batch();
    Batch(Batch&&) noexcept;
    Batch& operator=(Batch&&) noexcept;
    void Put(Column column, std::string_view key, std::string_view value);
    void Erase(Column column, std::string_view key);
    void Append(Batch other);  // applied after what is here

   private:
    friend class Database;
    struct Operation {
      Column column;
      bool erased;
      std::string key;
      std::string value;
    };
    std::vector<Operation> operations_;
  };
  // Synced: durable when it returns OK. After a failure every later write fails too: RocksDB 7.8.3 may abort on one.
  Status Write(const Batch& batch);

  // Gives the space of erased keys back to the file system.
  Status Compact();

  // Writes memtables out and forgets cached blocks: for a time in which nothing is asked.
  Status ReleaseMemory();

 private:
  struct Impl;
  explicit Database(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The record of type M under `key`; empty if there is none, kDataLoss if it does not parse.
template <class M>
Result<std::optional<M>> GetRecord(const Database& database, Column column, std::string_view key) {
  VARVE_ASSIGN_OR_RETURN(const std::optional<std::string> value, database.Get(column, key));
  if (!value) return std::optional<M>();
  M message;
  if (!message.ParseFromString(*value))
    return Error(Code::kDataLoss, "a record of the index does not parse; run: varve store rebuild-index");
  return std::optional<M>(std::move(message));
}

}  // namespace varve
