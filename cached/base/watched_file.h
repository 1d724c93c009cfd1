#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "cached/base/clock.h"
#include "cached/base/mutex.h"

namespace varve {

// Tells when a file that was read before may have changed: another file has its name, or its size or time of change
// differ. Looks once in kInterval at most. Thread-safe.
class WatchedFile {
 public:
  static constexpr std::chrono::seconds kInterval{1};

  WatchedFile(std::string path, Clock& clock);

  const std::string& path() const { return path_; }
  // Since the construction or the last true. A file that is gone has not changed: what it said still holds.
  bool HasChanged() EXCLUDES(mutex_);
  // What was told could not be used: it is told once more.
  void LookAgain() EXCLUDES(mutex_);
  // Another file, or none, has its name since the construction or the last true.
  bool WasReplaced() EXCLUDES(mutex_);

 private:
  struct State {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t changed_nanoseconds = 0;

    bool operator==(const State&) const = default;
  };
  State Look() const;                               // of a file that is gone: all 0
  std::optional<State> LookNow() REQUIRES(mutex_);  // none: it is too early

  const std::string path_;
  Clock& clock_;
  Mutex mutex_;
  std::optional<State> state_ GUARDED_BY(mutex_);  // none: whatever is found is told
  std::chrono::system_clock::time_point looked_ GUARDED_BY(mutex_);
};

}  // namespace varve
