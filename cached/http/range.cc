#include "cached/http/range.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

namespace varve {
namespace {

// What does not fit into 64 bits is behind the end of everything.
std::optional<std::uint64_t> ParseNumber(std::string_view text) {
  if (text.empty() || !std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() ? number : UINT64_MAX;
}

}  // namespace

std::string HttpRange::ContentRange(std::uint64_t size_bytes) const {
  if (kind == Kind::kUnsatisfiable) return fmt::format("bytes */{}", size_bytes);
  return fmt::format("bytes {}-{}/{}", offset_bytes, offset_bytes + length_bytes - 1, size_bytes);
}

HttpRange ParseHttpRange(std::optional<std::string_view> field, std::uint64_t size_bytes) {
  constexpr std::string_view kUnit = "bytes=";
  constexpr HttpRange kUnsatisfiable{.kind = HttpRange::Kind::kUnsatisfiable};
  const HttpRange whole{.length_bytes = size_bytes};
  if (!field || !field->starts_with(kUnit)) return whole;
  const std::string_view range = field->substr(kUnit.size());
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return whole;
  const auto first = ParseNumber(range.substr(0, dash));
  const auto last = ParseNumber(range.substr(dash + 1));
  if (dash == 0) {  // the last so many bytes
    if (!last) return whole;
    if (*last == 0 || size_bytes == 0) return kUnsatisfiable;
    const std::uint64_t length = std::min(*last, size_bytes);
    return {.kind = HttpRange::Kind::kPart, .offset_bytes = size_bytes - length, .length_bytes = length};
  }
  const bool open = dash + 1 == range.size();
  if (!first || (!open && !last) || (last && *last < *first)) return whole;
  if (*first >= size_bytes) return kUnsatisfiable;
  const std::uint64_t end = open ? size_bytes : std::min(*last, size_bytes - 1) + 1;
  return {.kind = HttpRange::Kind::kPart, .offset_bytes = *first, .length_bytes = end - *first};
}

}  // namespace varve
