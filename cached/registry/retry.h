#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "cached/base/cancel.h"

namespace varve {

struct RetryPolicy {
  int attempts = 5;
  std::chrono::milliseconds backoff{500};  // before the second attempt; doubles with each
  std::chrono::milliseconds backoff_max{30'000};
  std::chrono::seconds retry_after_max{60};              // a registry that asks for more is not waited for
  std::function<void(std::chrono::milliseconds)> sleep;  // empty: std::this_thread::sleep_for
};

// Counts the attempts of one request. Not thread-safe.
class Retry {
 public:
  explicit Retry(const RetryPolicy& policy) : policy_(policy) {}

  // After an attempt that failed with `error`: waits as long as the policy or the server (`retry_after`) says. The
  // error where no attempt is left or the server asks for too much; kCancelled as soon as `cancel` is set.
  Status Wait(const Error& error, std::optional<std::chrono::seconds> retry_after, const CancelToken& cancel);
  // The last attempt got somewhere: counting starts anew.
  void Progress() { failures_ = 0; }

 private:
  const RetryPolicy& policy_;
  int failures_ = 0;
};

}  // namespace varve
