#include "cached/config_values.h"

#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace varve {
namespace {

// "40GiB", "500MB" or "4096".
std::optional<std::uint64_t> ParseSize(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::uint64_t>, 10> kUnits = {{{"", 1},
                                                                                  {"B", 1},
                                                                                  {"KB", 1'000},
                                                                                  {"MB", 1'000'000},
                                                                                  {"GB", 1'000'000'000},
                                                                                  {"TB", 1'000'000'000'000},
                                                                                  {"KiB", 1ull << 10},
                                                                                  {"MiB", 1ull << 20},
                                                                                  {"GiB", 1ull << 30},
                                                                                  {"TiB", 1ull << 40}}};
  std::uint64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(rest - text.data()));
  const auto found = std::ranges::find(kUnits, unit, &std::pair<std::string_view, std::uint64_t>::first);
  std::uint64_t bytes = 0;
  if (found == kUnits.end() || __builtin_mul_overflow(number, found->second, &bytes)) return std::nullopt;
  return bytes;
}

}  // namespace

Result<std::string> TextIn(const Node& node) {
  const auto text = node.value_exact<std::string>();
  if (!text) return BadConfig("must be a string");
  return *text;
}

Result<bool> SwitchIn(const Node& node) {
  const auto value = node.value_exact<bool>();
  if (!value) return BadConfig("must be true or false");
  return *value;
}

Result<std::uint64_t> NumberIn(const Node& node, std::uint64_t least, std::uint64_t most) {
  const auto number = node.value_exact<std::int64_t>();
  if (!number) return BadConfig("must be an integer");
  if (*number < 0 || static_cast<std::uint64_t>(*number) < least || static_cast<std::uint64_t>(*number) > most)
    return BadConfig(fmt::format("must be from {} to {}", least, most));
  return static_cast<std::uint64_t>(*number);
}

Result<std::uint64_t> SizeIn(const Node& node, std::uint64_t least, std::uint64_t most) {
  const auto text = node.value_exact<std::string_view>();
  if (!text) return NumberIn(node, least, most).In("a size in bytes, or a string such as \"40GiB\"");
  const auto bytes = ParseSize(*text);
  if (!bytes)
    return BadConfig(fmt::format("\"{}\" is not a size; write one such as 4096, \"500MB\" or \"40GiB\"", *text));
  if (*bytes < least || *bytes > most) return BadConfig(fmt::format("must be from {} to {} bytes", least, most));
  return *bytes;
}

Result<std::chrono::seconds> DurationIn(const Node& node) {
  constexpr std::uint64_t kMost = 10ull * 365 * 24 * 3600;
  constexpr std::array<std::pair<std::string_view, std::uint64_t>, 4> kUnits = {
      {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 24 * 3600}}};
  const auto text = node.value_exact<std::string_view>();
  std::uint64_t number = 0;
  std::uint64_t seconds = 0;
  if (text) {
    const char* const begin = text->data();
    const auto [rest, error] = std::from_chars(begin, begin + text->size(), number);
    const std::string_view unit = text->substr(static_cast<std::size_t>(rest - begin));
    const auto found = std::ranges::find(kUnits, unit, &std::pair<std::string_view, std::uint64_t>::first);
    if (error == std::errc() && found != kUnits.end() && !__builtin_mul_overflow(number, found->second, &seconds) &&
        seconds <= kMost)
      return std::chrono::seconds(seconds);
  }
  return BadConfig("must be a time such as \"90s\", \"30m\", \"12h\" or \"7d\", of at most 10 years");
}

Result<std::vector<std::string>> TextsIn(const Node& node) {
  if (!node.is_array()) return BadConfig("must be a list of strings");
  std::vector<std::string> texts;
  for (const Node& item : *node.as_array()) {
    VARVE_ASSIGN_OR_RETURN(std::string text, TextIn(item).In("an item"));
    texts.push_back(std::move(text));
  }
  return texts;
}

Result<std::size_t> ChoiceIn(const Node& node, std::span<const std::string_view> names) {
  VARVE_ASSIGN_OR_RETURN(const std::string name, TextIn(node));
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) {
    return BadConfig(
        fmt::format("must be \"{}\" or \"{}\"", fmt::join(names.first(names.size() - 1), "\", \""), names.back()));
  }
  return static_cast<std::size_t>(found - names.begin());
}

}  // namespace varve
