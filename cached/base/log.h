#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <utility>

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

}  // namespace varve
