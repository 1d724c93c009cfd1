#pragma once

#include <condition_variable>
#include <mutex>

// Clang's thread-safety annotations; nothing under g++. The analyze preset turns a breach into an error.
#if defined(__clang__)
#define VARVE_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define VARVE_THREAD_ANNOTATION(x)
#endif
#define CAPABILITY(x) VARVE_THREAD_ANNOTATION(capability(x))
#define SCOPED_CAPABILITY VARVE_THREAD_ANNOTATION(scoped_lockable)
#define GUARDED_BY(x) VARVE_THREAD_ANNOTATION(guarded_by(x))
#define REQUIRES(...) VARVE_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) VARVE_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) VARVE_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define LOCK_RETURNED(x) VARVE_THREAD_ANNOTATION(lock_returned(x))
#define RELEASE(...) VARVE_THREAD_ANNOTATION(release_capability(__VA_ARGS__))

namespace varve {

// std::mutex that the analysis understands. No I/O, RPC, callback or log while one is held, but for those that
// docs/design/locking.md names; the order is there too.
class CAPABILITY("mutex") Mutex {
 private:
  friend class MutexLock;
  std::mutex mutex_;
};

class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : lock_(mutex.mutex_) {}
  ~MutexLock() RELEASE() {}
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  friend class CondVar;
  std::unique_lock<std::mutex> lock_;
};

// Waits for a change under a MutexLock; callers re-check their condition in a loop.
class CondVar {
 public:
  void Wait(MutexLock& lock) { condition_.wait(lock.lock_); }
  template <class Duration>
  bool WaitFor(MutexLock& lock, Duration timeout) {
    return condition_.wait_for(lock.lock_, timeout) == std::cv_status::no_timeout;
  }
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace varve
