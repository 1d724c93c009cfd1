#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Header only, so that nothing throws: parse errors are values.
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "cached/config.h"

namespace varve {

// What the keys of cached.toml are made of. Included by cached/config*.cc only.

struct ConfigKeyRule {
  std::string_view table;
  std::string_view name;
  std::string_view about;
  Status (*set)(const toml::node& node, DaemonConfig& config);
};
using Node = toml::node;

// The keys of [registry].
std::span<const ConfigKeyRule> RegistryConfigKeys();

inline constexpr std::uint64_t kNoMore = std::numeric_limits<std::int64_t>::max();

inline Error BadConfig(std::string problem) { return {Code::kInvalidArgument, std::move(problem)}; }

// All are kInvalidArgument, and say what is expected, for a node of another type or out of range.
Result<std::string> TextIn(const Node& node);
Result<bool> SwitchIn(const Node& node);
Result<std::uint64_t> NumberIn(const Node& node, std::uint64_t least, std::uint64_t most);
// In bytes, or a string with a unit such as "40GiB".
Result<std::uint64_t> SizeIn(const Node& node, std::uint64_t least, std::uint64_t most);
// A string such as "90s", "30m", "12h" or "7d"; at most 10 years.
Result<std::chrono::seconds> DurationIn(const Node& node);
Result<std::vector<std::string>> TextsIn(const Node& node);
// The place of a string among `names`.
Result<std::size_t> ChoiceIn(const Node& node, std::span<const std::string_view> names);

template <class Target>
Status Set(Result<Target> value, Target& target) {
  if (!value.ok()) return value.error();
  target = *std::move(value);
  return Ok();
}
template <class Target>
Status SetNumber(const Node& node, std::uint64_t least, std::uint64_t most, Target& target) {
  VARVE_ASSIGN_OR_RETURN(const std::uint64_t number, NumberIn(node, least, most));
  target = static_cast<Target>(number);
  return Ok();
}
template <class Target>
Status SetSize(const Node& node, std::uint64_t least, std::uint64_t most, Target& target) {
  VARVE_ASSIGN_OR_RETURN(const std::uint64_t bytes, SizeIn(node, least, most));
  target = static_cast<Target>(bytes);
  return Ok();
}

}  // namespace varve
