#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace varve {

// "KEY=VALUE" taken apart at the first "="; without one the value is empty.
inline std::pair<std::string, std::string> SplitAtEquals(const std::string& text) {
  const std::size_t equals = std::min(text.find('='), text.size());
  return {text.substr(0, equals), text.substr(std::min(equals + 1, text.size()))};
}

// Labels as docker takes them: of those with the same key the last counts.
inline std::map<std::string, std::string> LabelsFrom(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> labels;
  for (const std::string& text : texts) {
    auto [key, value] = SplitAtEquals(text);
    labels[std::move(key)] = std::move(value);
  }
  return labels;
}

}  // namespace varve
