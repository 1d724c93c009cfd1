#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "cached/base/result.h"

namespace varve {

using ByteSpan = std::span<const std::byte>;
using Bytes = std::vector<std::byte>;

static_assert(std::endian::native == std::endian::little, "every format of varve is little-endian and read in place");

inline ByteSpan AsBytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }
inline std::string_view AsText(ByteSpan bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
inline Bytes ToBytes(std::string_view text) {
  const ByteSpan b = AsBytes(text);
  return {b.begin(), b.end()};
}

template <class T>
  requires std::is_integral_v<T>
T LoadLittle(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}
template <class T>
  requires std::is_integral_v<T>
void StoreLittle(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof(value));
}

// Appends fixed-width and LEB128 integers and raw bytes to a buffer that it borrows.
class ByteWriter {
 public:
  explicit ByteWriter(Bytes& out) : out_(out) {}

  template <class T>
    requires std::is_integral_v<T>
  void Fixed(T value) {
    const std::size_t at = out_.size();
    out_.resize(at + sizeof(value));
    StoreLittle(out_.data() + at, value);
  }
  void Varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<std::byte>(value | 0x80));
    out_.push_back(static_cast<std::byte>(value));
  }
  void Raw(ByteSpan bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }

 private:
  Bytes& out_;
};

// Reads what ByteWriter wrote, from bytes that nobody vouches for: each call is kDataLoss past the end, never a bad
// read.
class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) : rest_(bytes) {}

  std::size_t remaining() const { return rest_.size(); }

  template <class T>
    requires std::is_integral_v<T>
  Result<T> Fixed() {
    VARVE_ASSIGN_OR_RETURN(const ByteSpan raw, Raw(sizeof(T)));
    return LoadLittle<T>(raw.data());
  }
  Result<std::uint64_t> Varint();
  Result<ByteSpan> Raw(std::size_t size);

 private:
  ByteSpan rest_;
};

// Lower-case hexadecimal; FromHex is kInvalidArgument unless all of `text` is an even number of hex digits.
std::string ToHex(ByteSpan bytes);
Result<Bytes> FromHex(std::string_view text);

// With padding; FromBase64 takes it without as well, and with line ends. kInvalidArgument for any other character.
std::string ToBase64(std::string_view bytes);
Result<std::string> FromBase64(std::string_view text);

// "512 B", "4.5 MB": powers of 1000 and at most four figures, as docker prints sizes.
std::string HumanSize(std::uint64_t bytes);

}  // namespace varve
