#include "cli/runtime/detach_keys.h"

#include <fmt/core.h>

#include <optional>

namespace varve {
namespace {

std::optional<char> KeyOf(std::string_view name) {
  constexpr std::string_view kControl = "ctrl-";
  if (name.size() == 1) return name[0];
  if (name.size() != kControl.size() + 1 || !name.starts_with(kControl)) return std::nullopt;
  constexpr char kControlBits = 0x1f;
  const char key = name.back();
  if ((key >= 'a' && key <= 'z') || (key >= '[' && key <= '_') || key == '@')
    return static_cast<char>(key & kControlBits);
  return std::nullopt;
}

}  // namespace

Result<std::string> ParseDetachKeys(std::string_view text) {
  std::string keys;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view name = rest.substr(0, rest.find(','));
    const std::optional<char> key = KeyOf(name);
    if (!key) {
      return Error(Code::kInvalidArgument, fmt::format("invalid detach keys '{}': '{}' is neither a character nor "
                                                       "ctrl-X with X of a-z @ [ \\ ] ^ _",
                                                       text, name));
    }
    keys += *key;
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
  }
  return keys;
}

std::string DetachKeys::Pass(std::string_view typed) {
  std::string passed;
  for (const char key : typed) {
    if (pressed()) break;
    held_ += key;
    while (!keys_.starts_with(held_)) {
      passed += held_.front();
      held_.erase(0, 1);
    }
  }
  return passed;
}

}  // namespace varve
