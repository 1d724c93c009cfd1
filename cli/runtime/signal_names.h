#pragma once

#include <string>

#include "cached/base/result.h"

namespace varve {

// "SIGTERM", "term", "15", "RTMIN+3". kInvalidArgument, in docker's words, for what is none.
Result<int> ParseSignal(const std::string& text);
std::string SignalName(int signal);  // "SIGTERM", "SIGRTMIN+3"

}  // namespace varve
