#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "cached/base/mutex.h"
#include "cached/base/result.h"

namespace varve {

// Something that one at a time may do, over I/O too and for minutes: what waits for it can be told to give up, and the
// turn can be handed on, which a Mutex does not allow. It must outlive its turns. Thread-safe.
class OneAtATime {
 public:
  struct GiveBack {
    void operator()(OneAtATime* of) const { of->End(); }
  };
  using Turn = std::unique_ptr<OneAtATime, GiveBack>;  // null: none

  // Waits until nobody has the turn. Looks at `keep_waiting` before and every kLook, and returns its error.
  Result<Turn> Take(const std::function<Status()>& keep_waiting) EXCLUDES(mutex_) {
    while (true) {
      VARVE_RETURN_IF_ERROR(keep_waiting());
      MutexLock lock(mutex_);
      if (taken_) ended_.WaitFor(lock, kLook);
      if (taken_) continue;
      taken_ = true;
      return Turn(this);
    }
  }

 private:
  static constexpr std::chrono::milliseconds kLook{100};

  void End() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    taken_ = false;
    ended_.NotifyOne();
  }

  Mutex mutex_;
  CondVar ended_;
  bool taken_ GUARDED_BY(mutex_) = false;
};

}  // namespace varve
