#include "cached/base/watched_file.h"

#include <sys/stat.h>

#include <utility>

namespace varve {

WatchedFile::WatchedFile(std::string path, Clock& clock)
    : path_(std::move(path)), clock_(clock), state_(Look()), looked_(clock.Now()) {}

WatchedFile::State WatchedFile::Look() const {
  struct stat status{};
  if (::stat(path_.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size),
          status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec};
}

std::optional<WatchedFile::State> WatchedFile::LookNow() {
  const auto now = clock_.Now();
  if (now >= looked_ && now - looked_ < kInterval) return std::nullopt;
  looked_ = now;
  return Look();
}

bool WatchedFile::HasChanged() {
  const MutexLock lock(mutex_);
  const auto state = LookNow();
  if (!state || *state == State() || state_ == *state) return false;
  state_ = *state;
  return true;
}

void WatchedFile::LookAgain() {
  const MutexLock lock(mutex_);
  state_.reset();
}

bool WatchedFile::WasReplaced() {
  const MutexLock lock(mutex_);
  const auto state = LookNow();
  if (!state || (state_ && state->device == state_->device && state->inode == state_->inode)) return false;
  state_ = *state;
  return true;
}

}  // namespace varve
