#include "cached/base/log.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>

namespace varve {
namespace {

std::atomic<int> log_fd = STDERR_FILENO;
std::atomic<LogLevel> least_level = LogLevel::kInfo;

// What others chose, names and documents, neither ends a line nor drives a terminal.
std::string WithoutControls(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      shown += fmt::format("\\x{:02x}", byte);
    } else {
      shown += c;
    }
  }
  return shown;
}

}  // namespace

void Log(LogLevel level, std::string_view text) {
  if (level < least_level.load(std::memory_order_relaxed)) return;
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  const std::string line =
      fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z {} {}\n", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                  (now - seconds).count(), "DIWE"[static_cast<int>(level)], WithoutControls(text));
  // One write, so that lines of several threads do not mix. A log that cannot be written has nowhere to say so.
  [[maybe_unused]] const auto written = ::write(log_fd.load(std::memory_order_relaxed), line.data(), line.size());
}

Status LogToFile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoError(errno, path);
  log_fd.store(fd);
  return Ok();
}

void SetLogLevel(LogLevel least) { least_level.store(least); }

std::optional<std::string> LogLimit::Admit(std::string_view line) {
  const auto now = clock_.Now();
  const std::size_t hash = std::hash<std::string_view>()(line);
  std::uint64_t left_out = 0;
  {
    MutexLock lock(mutex_);
    // A clock that was put back is forgiven.
    paid_until_ = std::clamp(paid_until_, now, now + kBurst * kInterval);
    const bool logged = std::ranges::any_of(logged_, [&](const Logged& before) {
      return before.hash == hash && before.until > now && before.until <= now + kRepeat;
    });
    if (logged || paid_until_ > now + (kBurst - 1) * kInterval) {
      ++left_out_;
      return std::nullopt;
    }
    paid_until_ += kInterval;
    logged_[oldest_] = {.hash = hash, .until = now + kRepeat};
    oldest_ = (oldest_ + 1) % kLines;
    left_out = std::exchange(left_out_, 0);
  }
  return left_out == 0 ? std::string() : fmt::format(" ({} more like this were left out before)", left_out);
}

}  // namespace varve
