#include "cached/registry/retry.h"

#include <fmt/core.h>

#include <algorithm>
#include <thread>

namespace varve {
namespace {

// How soon a cancelled wait ends.
constexpr std::chrono::milliseconds kSlice{100};

}  // namespace

Status Retry::Wait(const Error& error, std::optional<std::chrono::seconds> retry_after, const CancelToken& cancel) {
  ++failures_;
  if (failures_ >= policy_.attempts) {
    return Error(error.code(), fmt::format("{} (after {} attempts)", error.message(), failures_));
  }
  if (retry_after && *retry_after > policy_.retry_after_max) {
    return Error(error.code(), fmt::format("{} (it asks to wait {} s)", error.message(), retry_after->count()));
  }
  const int doublings = std::min(failures_ - 1, 20);
  std::chrono::milliseconds rest = std::min(policy_.backoff * (1 << doublings), policy_.backoff_max);
  if (retry_after) rest = std::max<std::chrono::milliseconds>(rest, *retry_after);
  while (rest.count() > 0) {
    VARVE_RETURN_IF_ERROR(cancel.Check());
    const auto slice = std::min(rest, kSlice);
    policy_.sleep ? policy_.sleep(slice) : std::this_thread::sleep_for(slice);
    rest -= slice;
  }
  return cancel.Check();
}

}  // namespace varve
