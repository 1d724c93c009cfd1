#include "cached/base/bytes.h"

#include <fmt/core.h>

#include <array>

namespace varve {
namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

Result<std::uint64_t> ByteReader::Varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    VARVE_ASSIGN_OR_RETURN(const std::uint8_t next, Fixed<std::uint8_t>());
    if (shift == 63 && next > 1) break;
    value |= static_cast<std::uint64_t>(next & 0x7f) << shift;
    if (next < 0x80) return value;
  }
  return Error(Code::kDataLoss, "an integer does not fit into 64 bits");
}

Result<ByteSpan> ByteReader::Raw(std::size_t size) {
  if (size > rest_.size()) {
    return Error(Code::kDataLoss, fmt::format("{} bytes wanted where {} are left", size, rest_.size()));
  }
  const ByteSpan raw = rest_.first(size);
  rest_ = rest_.subspan(size);
  return raw;
}

std::string ToHex(ByteSpan bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes) {
    text += kDigits[std::to_integer<unsigned>(byte) >> 4];
    text += kDigits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

Result<Bytes> FromHex(std::string_view text) {
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  if (text.size() % 2 != 0) return Error(Code::kInvalidArgument, "an odd number of hex digits");
  Bytes bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) return Error(Code::kInvalidArgument, "not a hex digit");
    bytes.push_back(static_cast<std::byte>(high * 16 + low));
  }
  return bytes;
}

std::string ToBase64(std::string_view bytes) {
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    unsigned group = 0;
    for (std::size_t i = at; i < at + 3; ++i) {
      group = group << 8 | (i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u);
    }
    for (std::size_t i = 0; i < 4; ++i) text += at + i <= bytes.size() ? kBase64[group >> (18 - 6 * i) & 63] : '=';
  }
  return text;
}

Result<std::string> FromBase64(std::string_view text) {
  while (text.ends_with('=') || text.ends_with('\n')) text.remove_suffix(1);
  std::string bytes;
  std::uint32_t bits = 0;
  unsigned bit_count = 0;
  for (const char c : text) {
    if (c == '\n' || c == '\r') continue;
    const std::size_t digit = kBase64.find(c);
    if (digit == std::string_view::npos) return Error(Code::kInvalidArgument, "not base64");
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    bytes += static_cast<char>(bits >> bit_count & 0xff);
  }
  return bytes;
}

std::string HumanSize(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 6> kUnits = {"B", "kB", "MB", "GB", "TB", "PB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1000 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.4g} {}", value, kUnits[unit]);
}

}  // namespace varve
