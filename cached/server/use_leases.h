#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>

#include "cached/base/clock.h"
#include "cached/base/mutex.h"
#include "cached/store/lease_table.h"

namespace varve {

// Keeps images from being collected between the moment that a command asks for one to mount or run it, and the moment
// that the driver serves it to that command: until then no pin protects it. A lease ends when its command says so, and
// by itself after kTermMax, since one that was killed says nothing. Thread-safe.
class UseLeases {
 public:
  static constexpr std::chrono::seconds kTermMax{60};  // starting varve-fuse may take half of it
  static constexpr std::size_t kLeasesMax = 1024;      // beyond, the oldest ends

  explicit UseLeases(Clock& clock) : clock_(clock) {}

  // `leased` has touched all of the image. Returns the lease's number, never 0.
  std::uint64_t Grant(std::unique_ptr<LeaseTable::Session> leased) EXCLUDES(mutex_);
  void End(std::uint64_t lease) EXCLUDES(mutex_);
  // Ends those that have lasted too long. To be called before a collection.
  void EndOverdue() EXCLUDES(mutex_);

 private:
  struct Lease {
    std::unique_ptr<LeaseTable::Session> session;
    std::chrono::system_clock::time_point ends;
  };

  Clock& clock_;
  Mutex mutex_;
  std::uint64_t next_ GUARDED_BY(mutex_) = 1;
  std::map<std::uint64_t, Lease> leases_ GUARDED_BY(mutex_);  // the oldest first
};

}  // namespace varve
