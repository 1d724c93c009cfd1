#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "cached/base/bytes.h"
#include "cached/base/result.h"

namespace varve {

inline constexpr std::size_t kTarBlockBytes = 512;
using TarBlock = std::array<std::byte, kTarBlockBytes>;

// The header block of a tar entry, decoded field by field; no extension is applied and no limit but the format's own
// checked.
struct TarHeader {
  char type = 0;  // the type flag as it stands there
  std::string path;
  std::string link_target;
  std::int64_t mode = 0;
  std::int64_t uid = 0;
  std::int64_t gid = 0;
  std::uint64_t size_bytes = 0;  // of what is stored
  std::int64_t mtime_seconds = 0;
  std::int64_t device_major = 0;  // of devices, else 0
  std::int64_t device_minor = 0;
  TarBlock block;  // old GNU sparse headers say more than this struct
};

// kDataLoss when the checksum is wrong, kInvalidArgument when a number is none. Dialect and fields: the essay in
// tar_header.cc.
Result<TarHeader> ParseTarHeader(ByteSpan block);

// A numeric field: octal text between blanks or NULs, nothing at all for 0, or big-endian two's complement with the top
// bit set.
Result<std::int64_t> ParseTarNumber(ByteSpan field);

// What stands in front of the first NUL.
std::string TarText(ByteSpan field);

bool IsZeroBlock(ByteSpan block);

}  // namespace varve
