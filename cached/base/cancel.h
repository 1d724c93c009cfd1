#pragma once

#include <atomic>

#include "cached/base/result.h"

namespace varve {

// Set once by whoever gives up, read by everyone who works for it. Thread-safe.
class CancelToken {
 public:
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }
  Status Check() const {
    if (cancelled()) return Error(Code::kCancelled, "cancelled");
    return Ok();
  }

 private:
  std::atomic<bool> cancelled_ = false;
};

}  // namespace varve
