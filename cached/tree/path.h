#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "cached/base/result.h"

namespace varve {

inline constexpr std::size_t kNameBytesMax = 255;            // Linux's NAME_MAX
inline constexpr std::size_t kSymlinkTargetBytesMax = 4095;  // Linux's PATH_MAX, less its NUL
inline constexpr std::uint32_t kSymlinkHopsMax = 40;         // Linux's MAXSYMLINKS
inline constexpr std::size_t kDepthMax = 1024;               // directories above a file

// Whether a directory may have an entry of this name.
bool IsValidName(std::string_view name);

// The names of a path in a tar, views of it. A leading "/", "//" and "." say nothing and are dropped: the root has no
// names. kInvalidArgument for "..", a NUL, a name over kNameBytesMax or more than kDepthMax of them.
Result<std::vector<std::string_view>> SplitPath(std::string_view path);

// What a tree has under a name of one of its directories.
struct PathStep {
  enum class Kind { kMissing, kDirectory, kSymlink, kOther };
  Kind kind = Kind::kMissing;
  std::uint32_t directory = 0;  // kDirectory: its number
  std::string_view target;      // kSymlink
};
using PathLookup = std::function<PathStep(std::uint32_t directory, std::string_view name)>;

// A path without symlinks: the directory of each name, kMissingDirectory from the first on that is not there.
inline constexpr std::uint32_t kMissingDirectory = UINT32_MAX;
struct ResolvedName {
  std::string_view name;  // a view of the path, or of the symlink's target that it came from
  std::uint32_t directory;
};

// Follows `names` from directory `root` as if the process were chrooted there: a target that begins with "/" starts
// again at the root, and ".." stops at it. What is missing is taken as a directory yet to be made. kInvalidArgument
// after kSymlinkHopsMax symlinks, for a name that is neither a directory nor a symlink, and for a result deeper than
// kDepthMax.
Result<std::vector<ResolvedName>> ResolveDirectory(std::uint32_t root, std::span<const std::string_view> names,
                                                   const PathLookup& lookup);

}  // namespace varve
