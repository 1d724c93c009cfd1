#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

#include "cached/base/mutex.h"

namespace varve {

// Hands values from one thread to another and holds at most `capacity` of them, so a fast producer waits for its
// consumer. Thread-safe. Close() ends the stream: what is queued is still delivered, later pushes are refused.
template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {}

  // Waits for room. False when the queue is closed; the value is then dropped.
  bool Push(T value) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (values_.size() >= capacity_ && !closed_) room_.Wait(lock);
    if (closed_) return false;
    values_.push_back(std::move(value));
    filled_.NotifyOne();
    return true;
  }

  // Waits for a value. Empty when the queue is closed and drained.
  std::optional<T> Pop() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (values_.empty() && !closed_) filled_.Wait(lock);
    if (values_.empty()) return std::nullopt;
    std::optional<T> value = std::move(values_.front());
    values_.pop_front();
    room_.NotifyOne();
    return value;
  }

  void Close() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    closed_ = true;
    room_.NotifyAll();
    filled_.NotifyAll();
  }

  // Close(), and what is queued is dropped: for a consumer that gives up.
  void Abandon() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    closed_ = true;
    values_.clear();
    room_.NotifyAll();
    filled_.NotifyAll();
  }

 private:
  const std::size_t capacity_;
  CondVar room_;
  CondVar filled_;
  Mutex mutex_;
  std::deque<T> values_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace varve
