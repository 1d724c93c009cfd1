#include "cli/runtime/time_text.h"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <charconv>
#include <cstdio>
#include <ctime>
#include <map>

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

Result<std::chrono::system_clock::time_point> ParseMoment(const std::string& text) {
  const auto now = std::chrono::system_clock::now();
  const std::map<char, std::chrono::seconds> units = {
      {'h', std::chrono::hours(1)}, {'m', std::chrono::minutes(1)}, {'s', std::chrono::seconds(1)}};
  std::chrono::seconds back{0};
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  while (at != end) {
    std::int64_t count = 0;
    const auto [unit, error] = std::from_chars(at, end, count);
    if (error != std::errc()) return ParseTime(text);
    if (unit == end && at == text.data()) return std::chrono::system_clock::from_time_t(count);
    const auto known = unit == end ? units.end() : units.find(*unit);
    if (known == units.end() || count < 0 || count > 1'000'000'000) return ParseTime(text);
    back += count * known->second;
    at = unit + 1;
  }
  return now - back;
}

}  // namespace varve
