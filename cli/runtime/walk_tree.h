#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cached/base/bytes.h"
#include "cached/base/fd.h"
#include "cached/base/result.h"

// Reading a tree that a container may change meanwhile, to whatever harm it can do.

namespace varve {

struct TreeEntry {
  std::string path;  // below the root that is walked, without a slash in front; empty for the root itself
  struct stat info;
  int fd;  // O_PATH, open during the visit
};

// What is to be done with the entries of a directory that was visited.
enum class Below { kVisited, kLeftOut };

// Visits what `start` names below `root` (a directory; empty for itself) and all that is below that: a directory before
// its entries, and those in the order of their names. No symlink is followed, so nothing outside of `root` is seen.
// What goes away meanwhile is left out. kInvalidArgument for paths beyond PATH_MAX.
Status WalkTree(int root, const std::string& start, const std::function<Result<Below>(const TreeEntry&)>& visit);

// What removing `directory` gives back, hard links counted once. Of what is beyond the reach of paths, nothing.
std::uint64_t DiskBytes(const std::string& directory);

// What `path` below `root` is, for whom no symlink leads anywhere; nothing if there is none.
Result<std::optional<struct stat>> LookBelow(int root, const std::string& path);
// The names in a directory below `root`, sorted.
Result<std::vector<std::string>> ListBelow(int root, const std::string& path);

// A descriptor for reading what `entry` is, a file or a directory.
Result<UniqueFd> OpenForReading(const TreeEntry& entry);
Result<std::string> ReadLink(const TreeEntry& entry);
// All but overlayfs' own. Empty where the file system has none.
Result<std::map<std::string, Bytes>> ReadXattrs(const TreeEntry& entry);

}  // namespace varve
