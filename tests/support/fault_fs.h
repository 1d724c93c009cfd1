#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cached/base/fs.h"
#include "cached/base/mutex.h"

namespace varve {

// A file system in memory that fails on request and can lose power: the worst disk that POSIX allows, for tests of
// durability.
//
//   for (std::uint64_t n = 1;; ++n) {          // every crash point of an algorithm
//     FaultFs fs;
//     fs.FailAt(n, FaultFs::Failing::kFromThenOn);
//     const Status status = Algorithm(fs);
//     fs.Heal();
//     fs.Crash(FaultFs::Unsynced::kDropped);
//     ... what was acknowledged is there, and nothing is half there ...
//     if (fs.operations() < n) break;          // the fault was never reached: all are covered
//   }
//
// Every call on the Fs and its Files is one operation, reads and opens included; a write that fails has written its
// first half. What is synced: a file's content by File::Sync, a name (created, renamed or removed) by SyncDirectory of
// its parent, both separately: a synced file whose name was not synced is gone. Directories are simpler than on a real
// disk: durable once made. Paths are compared as text: no "..", no doubled or trailing slashes. What is stored through
// a mapping (File::fd) is seen by later mappings only, and is lost with the power; a mapped file is not written any
// more. Thread-safe.
class FaultFs final : public Fs {
 public:
  enum class Failing { kOnce, kFromThenOn };
  // What became of the content and names that were not synced; all of these are states that a disk may come back in.
  enum class Unsynced {
    kKept,     // all of it had reached the disk: what a killed process leaves
    kDropped,  // names and content are as they were last synced
    kTorn,     // names as synced; half of what a file had grown by is there
    kZeroed,   // names as synced; a file is as long as it was, and zero beyond what was synced
  };

  FaultFs();
  ~FaultFs() override;

  // The `nth` operation from now on (1 is the next) fails with `error`.
  void FailAt(std::uint64_t nth, Failing failing, Error error = Error(Code::kResourceExhausted, "injected"))
      EXCLUDES(mutex_);
  void Heal() EXCLUDES(mutex_);  // nothing fails any more
  // Since construction, or since the last FailAt.
  std::uint64_t operations() const EXCLUDES(mutex_);

  // Power loss: files that are open fail from now on, as kFailedPrecondition; what is opened anew sees what the disk
  // kept.
  void Crash(Unsynced unsynced) EXCLUDES(mutex_);

  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override EXCLUDES(mutex_);
  Status Rename(const std::string& from, const std::string& to) override EXCLUDES(mutex_);
  Status Remove(const std::string& path) override EXCLUDES(mutex_);
  Status MakeDirectories(const std::string& path) override EXCLUDES(mutex_);
  Status SyncDirectory(const std::string& path) override EXCLUDES(mutex_);
  Result<std::vector<std::string>> List(const std::string& directory) override EXCLUDES(mutex_);
  Result<std::uint64_t> FileSize(const std::string& path) override EXCLUDES(mutex_);
  // The same moment for all: the time of its making.
  Result<std::chrono::system_clock::time_point> ModifiedAt(const std::string& path) override EXCLUDES(mutex_);
  Result<std::uint64_t> FreeBytes(const std::string& directory) override EXCLUDES(mutex_);  // plenty

 private:
  struct Inode;
  class OpenFile;
  struct Fault {
    std::uint64_t nth;
    Failing failing;
    Error error;
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;

  // Counts one operation on `path`; the injected error where it is its turn.
  Status Begin(const std::string& path) REQUIRES(mutex_);
  Status CheckParent(const std::string& path) const REQUIRES(mutex_);
  Result<std::shared_ptr<Inode>> Get(const std::string& path) const REQUIRES(mutex_);

  const std::chrono::system_clock::time_point made_ = std::chrono::system_clock::now();
  mutable Mutex mutex_;
  std::uint64_t operations_ GUARDED_BY(mutex_) = 0;
  std::uint64_t crashes_ GUARDED_BY(mutex_) = 0;
  std::optional<Fault> fault_ GUARDED_BY(mutex_);
  std::set<std::string> directories_ GUARDED_BY(mutex_);
  Names names_ GUARDED_BY(mutex_);
  Names synced_names_ GUARDED_BY(mutex_);
};

}  // namespace varve
