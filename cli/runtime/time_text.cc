#include "cli/runtime/time_text.h"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <cstdio>
#include <ctime>

namespace varve {

std::string TimeText(std::chrono::system_clock::time_point time) {
  const auto since = std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch());
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(since).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:09}Z", fmt::gmtime(seconds),
                     (since - std::chrono::seconds(seconds)).count());
}

Result<std::chrono::system_clock::time_point> ParseTime(const std::string& text) {
  std::tm parts{};
  const char* rest = nullptr;
  for (const char* form : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"}) {
    parts = {};
    rest = ::strptime(text.c_str(), form, &parts);
    if (rest != nullptr) break;
  }
  const Error invalid(Code::kInvalidArgument, fmt::format("'{}' is not a time such as 2026-01-31T12:00:00Z", text));
  if (rest == nullptr) return invalid;
  std::chrono::nanoseconds fraction{0};
  if (*rest == '.') {
    std::int64_t unit = 100'000'000;
    for (++rest; *rest >= '0' && *rest <= '9'; ++rest, unit /= 10)
      fraction += std::chrono::nanoseconds(unit * (*rest - '0'));
  }
  std::chrono::minutes zone{0};
  int hours = 0, minutes = 0, read = 0;
  if (*rest == 'Z') {
    ++rest;
  } else if ((*rest == '+' || *rest == '-') && std::sscanf(rest + 1, "%2d:%2d%n", &hours, &minutes, &read) == 2) {
    zone = (*rest == '-' ? -1 : 1) * (std::chrono::hours(hours) + std::chrono::minutes(minutes));
    rest += 1 + read;
  }
  if (*rest != '\0') return invalid;
  return std::chrono::system_clock::from_time_t(::timegm(&parts)) +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(fraction) - zone;
}

}  // namespace varve
