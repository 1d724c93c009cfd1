#pragma once

#include <cstdint>
#include <string>

#include "cached/base/fd.h"
#include "cached/base/result.h"

namespace varve {

inline constexpr const char* kStandardInput = "-";

// What a compressed archive may grow into before it counts as a bomb: the daemon's limits for a layer.
inline constexpr std::uint64_t kPlainBytesMax = std::uint64_t{64} << 30;
inline constexpr std::uint64_t kPlainRatioMax = 1100;
inline constexpr std::uint64_t kPlainRatioFreeBytes = std::uint64_t{16} << 20;

// The plain bytes of the file at `path` (or of standard input, "-"), open at their beginning and seekable. What is
// compressed (gzip, bzip2, xz, zstd) or no file is copied into an unlinked temporary file in $TMPDIR, by default
// /var/tmp, first. Errors name what was asked for. kResourceExhausted beyond a limit above.
Result<UniqueFd> OpenPlain(const std::string& path);

// The same of an open file; errors name it `what`.
Result<UniqueFd> PlainOf(UniqueFd given, const std::string& what);

// An empty, unlinked file there.
Result<UniqueFd> CreateTemporary();

}  // namespace varve
