#include "cached/http/target.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace varve {
namespace {

std::optional<unsigned> HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

Result<std::string> PercentDecode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const auto high = i + 2 < text.size() ? HexDigit(text[i + 1]) : std::nullopt;
      const auto low = high ? HexDigit(text[i + 2]) : std::nullopt;
      if (!low) return Error(Code::kInvalidArgument, "target: '%' without two hexadecimal digits after it");
      c = static_cast<char>(*high << 4 | *low);
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      return Error(Code::kInvalidArgument, "target: holds a control character");
    decoded += c;
  }
  return decoded;
}

Result<HttpQuery> ParseQuery(std::string_view text) {
  std::vector<HttpQuery::Pair> pairs;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    if (pair.empty()) continue;
    const std::string_view name = pair.substr(0, pair.find('='));
    VARVE_ASSIGN_OR_RETURN(std::string decoded_name, PercentDecode(name));
    VARVE_ASSIGN_OR_RETURN(std::string value, PercentDecode(pair.substr(std::min(name.size() + 1, pair.size()))));
    pairs.emplace_back(std::move(decoded_name), std::move(value));
  }
  return HttpQuery(std::move(pairs));
}

}  // namespace

Result<HttpTarget> ParseHttpTarget(std::string_view target) {
  std::string_view rest = target;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    const std::size_t end = target.find_first_of("/?", scheme.size());
    rest = end == std::string_view::npos ? "/" : target.substr(end);
  }
  const std::string_view path = rest.substr(0, rest.find('?'));
  if (!path.starts_with('/')) return Error(Code::kInvalidArgument, "target: does not begin with '/'");
  VARVE_ASSIGN_OR_RETURN(std::string decoded, PercentDecode(path));
  VARVE_ASSIGN_OR_RETURN(HttpQuery query, ParseQuery(rest.substr(std::min(path.size() + 1, rest.size()))));
  return HttpTarget{.path = std::move(decoded), .query = std::move(query)};
}

std::string PercentEncode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain) {
      encoded += c;
    } else {
      encoded.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
    }
  }
  return encoded;
}

}  // namespace varve
