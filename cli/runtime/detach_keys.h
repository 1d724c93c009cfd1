#pragma once

#include <string>
#include <string_view>

#include "cached/base/result.h"

namespace varve {

inline constexpr std::string_view kDetachKeys = "ctrl-p,ctrl-q";  // docker's

// What keys send: "a", or "ctrl-X" with X of a-z, @, [, \, ], ^ and _, joined by commas. Empty for none, which never
// detach. kInvalidArgument.
Result<std::string> ParseDetachKeys(std::string_view text);

// Looks for keys, pressed one after the other, in what somebody types. What may be their beginning is held back until
// it is clear that it is not.
class DetachKeys {
 public:
  explicit DetachKeys(std::string keys) : keys_(std::move(keys)) {}

  // What is to be passed on of what is held back and `typed`, up to the keys.
  std::string Pass(std::string_view typed);
  bool pressed() const { return !keys_.empty() && held_ == keys_; }

 private:
  std::string keys_;
  std::string held_;  // a beginning of keys_
};

}  // namespace varve
