#pragma once

#include <algorithm>
#include <string>
#include <utility>

namespace varve {

// "KEY=VALUE" taken apart at the first "="; without one the value is empty.
inline std::pair<std::string, std::string> SplitAtEquals(const std::string& text) {
  const std::size_t equals = std::min(text.find('='), text.size());
  return {text.substr(0, equals), text.substr(std::min(equals + 1, text.size()))};
}

}  // namespace varve
