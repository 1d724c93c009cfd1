#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <optional>
#include <span>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cached/base/mutex.h"
#include "cached/content/digest.h"
#include "cached/store/database.h"
#include "cached/store/open_packs.h"
#include "cached/store/placement.h"

namespace varve {

// The one writer of the index, and the keeper of the durability order that everything else leans on:
//
//   frames appended → fdatasync of every pack that the batch points into → one synced RocksDB batch → visible
//
// A batch carries the placements that it depends on itself, also those of chunks that another stream appended and has
// not committed yet: those are found through FindPending, so that two streams which share chunks write them once, and
// either may commit first. Batches that wait are committed together, so that small ones do not pay a sync each.
//
// If a pack cannot be synced it is lost (OpenPacks::Sync), and what is pending in it is forgotten: batches that need it
// fail, whoever looks for it later misses and writes it anew, elsewhere. Thread-safe.
class Committer {
 public:
  // `counters` gives the record of that name as of now: what was handed out is then never handed out again.
  Committer(Database& database, OpenPacks& packs, std::map<PackId, std::uint64_t> durable_bytes,
            std::function<std::string()> counters);
  ~Committer();  // commits what is queued

  // A chunk whose frame is appended and not committed yet. Returns the placement that stands: another stream's, if that
  // was first.
  store::Placement AddPending(const Digest& digest, const store::Placement& placement) EXCLUDES(mutex_);
  std::optional<store::Placement> FindPending(const Digest& digest) const EXCLUDES(mutex_);
  bool HasPendingIn(PackId pack) const EXCLUDES(mutex_);

  // What the collector does to a record: it has moved, or goes. Applied only if the index still says `from`: meanwhile
  // somebody may have written it anew.
  struct Move {
    Column column;
    std::string key;
    std::string from;
    std::optional<std::string> to;
  };

  struct Batch {
    struct Chunk {
      Digest digest;
      PackId pack;  // that it is pending in
    };
    std::vector<Chunk> chunks;  // to commit the placements of, unless another stream's commit was first
    Database::Batch records;
    std::vector<Move> moves;
    std::vector<PackLocation> frames;  // that `records` and `moves` point to
    std::vector<PackId> dropped_packs;
  };
  // Ready when the batch is durable and visible.
  std::future<Status> CommitAsync(Batch batch) EXCLUDES(mutex_);
  Status Commit(Batch batch) { return CommitAsync(std::move(batch)).get(); }

 private:
  struct Waiting {
    Batch batch;
    std::promise<Status> done;
  };
  void Work();
  Status Write(std::span<Waiting> group);
  Status SyncOrForget(PackId pack) EXCLUDES(mutex_);
  static std::size_t WrittenTogether(std::span<const Waiting> queue);
  Status AddMoves(const Batch& batch, Database::Batch& changes);

  Database& database_;
  OpenPacks& packs_;
  const std::function<std::string()> counters_;
  std::map<PackId, std::uint64_t> durable_bytes_;  // the committer thread's alone
  mutable Mutex mutex_;
  CondVar wake_;
  std::vector<Waiting> queue_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::unordered_map<Digest, store::Placement> pending_ GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace varve
