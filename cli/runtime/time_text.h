#pragma once

#include <chrono>
#include <string>

#include "cached/base/result.h"

namespace varve {

// RFC 3339 in UTC, to the nanosecond.
std::string TimeText(std::chrono::system_clock::time_point time);
// kInvalidArgument unless it is such a text, with any fraction and zone, or "YYYY-MM-DD[THH:MM[:SS]]" in UTC.
Result<std::chrono::system_clock::time_point> ParseTime(const std::string& text);
// Such a time, seconds since 1970, or a duration back from now such as 1h30m, as docker's options take it.
Result<std::chrono::system_clock::time_point> ParseMoment(const std::string& text);

}  // namespace varve
