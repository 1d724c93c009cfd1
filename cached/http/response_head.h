#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "cached/http/message.h"

namespace varve {

enum class ThenConnection { kClose, kKeep, kKeepHttp10 /* which must be told so */ };

// What goes before the body of `response`: status line and fields, those of the server too. 1xx, 204 and 304 tell no
// length. What a control character in a field's value would begin, as a field of its own, does not happen: it becomes a
// space.
std::string ResponseHead(const HttpResponse& response, ThenConnection then, std::string_view date);

// The time as the Date field has it, made once a second.
class DateText {
 public:
  std::string_view At(std::chrono::system_clock::time_point now);

 private:
  std::chrono::sys_seconds second_{};
  std::string text_;
};

}  // namespace varve
