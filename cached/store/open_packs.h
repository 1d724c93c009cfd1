#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "cached/base/mutex.h"
#include "cached/pack/pack_writer.h"

namespace varve {

// The packs that can still be appended to. A stream leases one, so that what it writes lies in its own order; an idle
// one is leased before a new one is made. Thread-safe. Writers given out are the lessee's alone, but for Sync.
class OpenPacks {
 public:
  // `fs` must outlive it. Numbers go on from `next_number`.
  OpenPacks(Fs& fs, std::string directory, std::uint32_t next_number);

  // An open pack, idle until now or new. kResourceExhausted on a full disk.
  Result<std::shared_ptr<PackWriter>> Lease() EXCLUDES(mutex_);
  // Back from a lease; sealed if it failed or has little room left.
  enum class Condition { kSound, kFailed };
  void Return(const std::shared_ptr<PackWriter>& pack, Condition condition) EXCLUDES(mutex_);
  // A pack that an earlier process left open.
  void AddIdle(std::shared_ptr<PackWriter> pack) EXCLUDES(mutex_);

  // Takes `pack` out of use, so that the collector may rewrite it. False while it is leased, and if it cannot be
  // synced.
  bool Seal(PackId pack) EXCLUDES(mutex_);
  // Makes all that was appended to `pack` before the call durable. After an error the pack is lost: what it held before
  // is as good as ever, but nobody appends to it any more, and every later Sync of it fails, because nobody can tell
  // what of the rest has reached the disk.
  Status Sync(PackId pack) EXCLUDES(mutex_);
  std::uint32_t next_number() const EXCLUDES(mutex_);

  // kResourceExhausted unless `reserve_bytes` are free. What ingests leaves kPackReserveBytes to the index, its
  // journal and a prune: RocksDB does not survive a log that it cannot write, and a full disk must still be able to
  // give space back.
  static constexpr std::uint64_t kPackReserveBytes = 32 << 20;
  static constexpr std::uint64_t kIndexReserveBytes = 4 << 20;
  Status CheckRoom(std::uint64_t reserve_bytes) const;

 private:
  Fs& fs_;
  const std::string directory_;
  mutable Mutex mutex_;
  std::uint32_t next_number_ GUARDED_BY(mutex_);
  std::map<PackId, std::shared_ptr<PackWriter>> open_
      GUARDED_BY(mutex_);  // idle and leased; a sealed one is synced before it leaves
  std::set<PackId> idle_ GUARDED_BY(mutex_);
  std::map<PackId, Error> lost_ GUARDED_BY(mutex_);  // not open any more; one for each fault of the disk at most
};

}  // namespace varve
