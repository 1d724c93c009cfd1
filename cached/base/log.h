#pragma once

#include <fmt/core.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "cached/base/clock.h"
#include "cached/base/mutex.h"
#include "cached/base/result.h"

namespace varve {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// Lines "2026-01-02T03:04:05.678Z W text" to standard error, or to the file that LogToFile opened. Thread-safe; never
// under a lock.
void Log(LogLevel level, std::string_view text);
Status LogToFile(const std::string& path);
void SetLogLevel(LogLevel least);

template <class... Args>
void LogInfo(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void LogWarning(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void LogError(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kError, fmt::format(format, std::forward<Args>(args)...));
}

// Bounds how often one kind of event is logged, so that what fails again and again does not fill the disk: the same
// line once in kRepeat, and of different ones kBurst at once, then one in kInterval. What is left out is counted, and
// told with the next line. Of the lines only hashes are kept, of the last kLines. Thread-safe.
class LogLimit {
 public:
  static constexpr int kBurst = 10;
  static constexpr std::chrono::seconds kInterval{10};
  static constexpr std::chrono::minutes kRepeat{10};
  static constexpr std::size_t kLines = 64;

  // `clock` must outlive it.
  explicit LogLimit(Clock& clock = Clock::Real()) : clock_(clock) {}

  // What to append to `line`, which names the object and what is wrong with it: nothing, or how many were left out.
  // Empty: leave this one out too.
  std::optional<std::string> Admit(std::string_view line);

 private:
  struct Logged {
    std::size_t hash = 0;
    std::chrono::system_clock::time_point until;
  };

  Clock& clock_;
  Mutex mutex_;
  std::chrono::system_clock::time_point paid_until_ GUARDED_BY(mutex_);  // as if lines came in kInterval
  std::array<Logged, kLines> logged_ GUARDED_BY(mutex_);
  std::size_t oldest_ GUARDED_BY(mutex_) = 0;  // in logged_
  std::uint64_t left_out_ GUARDED_BY(mutex_) = 0;
};

}  // namespace varve
