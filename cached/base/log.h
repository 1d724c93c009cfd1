#pragma once

#include <fmt/core.h>

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

// Bounds how often one kind of event is logged, so that what fails again and again does not fill the disk: kBurst lines
// at once, then one in kInterval. What is left out is counted, and told with the next line. Thread-safe.
class LogLimit {
 public:
  static constexpr int kBurst = 10;
  static constexpr std::chrono::seconds kInterval{10};

  // `clock` must outlive it.
  explicit LogLimit(Clock& clock = Clock::Real()) : clock_(clock) {}

  // What to append to the line: nothing, or how many were left out. Empty: leave this one out too.
  std::optional<std::string> Admit();

 private:
  Clock& clock_;
  Mutex mutex_;
  std::chrono::system_clock::time_point paid_until_ GUARDED_BY(mutex_);  // as if lines came in kInterval
  std::uint64_t left_out_ GUARDED_BY(mutex_) = 0;
};

}  // namespace varve
