#include "cli/runtime/remove_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string_view>

#include "cached/base/fd.h"

// A container can nest directories far beyond the number of descriptors and the 4096 bytes of a path that a recursive
// removal needs (both std::filesystem::remove_all and rm by path give up). Here no directory is ever entered deeper
// than one level below the top: what does not go at once is moved up to the top, and a later pass meets it there. Each
// directory is moved at most once, so the cost stays linear. Example: top/a/b/c: b becomes top/.varve-removed-0, a
// goes; then c becomes top/.varve-removed-1, and so on.

namespace varve {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

Result<Directory> OpenDirectory(int parent, const std::string& name) {
  UniqueFd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError(errno, name);
  Directory directory(::fdopendir(fd.get()));
  if (directory == nullptr) return ErrnoError(errno, name);
  fd.Release();
  return directory;
}

// The next entry's name, empty at the end.
std::string NextName(const Directory& directory) {
  while (const dirent* entry = ::readdir(directory.get())) {  // NOLINT(concurrency-mt-unsafe): the stream is ours
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") return std::string(name);
  }
  return {};
}

enum class Removed { kYes, kHasEntries };

Result<Removed> RemoveOne(int parent, const std::string& name) {
  if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return Removed::kYes;
  if (errno != EISDIR) return ErrnoError(errno, name);
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0) return Removed::kYes;
  if (errno == ENOTEMPTY) return Removed::kHasEntries;
  return ErrnoError(errno, name);
}

Status MoveUp(int from, const std::string& name, int top, std::uint64_t& moved) {
  do {
    const std::string moved_name = fmt::format(".varve-removed-{}", moved++);
    if (::renameat2(from, name.c_str(), top, moved_name.c_str(), RENAME_NOREPLACE) == 0) return Ok();
  } while (errno == EEXIST);
  return ErrnoError(errno, name);
}

// Removes what is in top/name, or moves it to top.
Status Flatten(int top, const std::string& name, std::uint64_t& moved) {
  VARVE_ASSIGN_OR_RETURN(const Directory directory, OpenDirectory(top, name));
  for (std::string child = NextName(directory); !child.empty(); child = NextName(directory)) {
    VARVE_ASSIGN_OR_RETURN(const Removed removed, RemoveOne(::dirfd(directory.get()), child));
    if (removed == Removed::kHasEntries) VARVE_RETURN_IF_ERROR(MoveUp(::dirfd(directory.get()), child, top, moved));
  }
  return Ok();
}

Status Empty(const Directory& top) {
  const int fd = ::dirfd(top.get());
  std::uint64_t moved = 0;
  for (bool found = true; found;) {
    found = false;
    ::rewinddir(top.get());
    for (std::string name = NextName(top); !name.empty(); name = NextName(top)) {
      found = true;
      VARVE_ASSIGN_OR_RETURN(const Removed removed, RemoveOne(fd, name));
      if (removed == Removed::kHasEntries) VARVE_RETURN_IF_ERROR(Flatten(fd, name, moved));
    }
  }
  return Ok();
}

}  // namespace

Status RemoveTree(const std::string& path) {
  VARVE_ASSIGN_OR_RETURN(const Removed removed, RemoveOne(AT_FDCWD, path));
  if (removed == Removed::kYes) return Ok();
  VARVE_ASSIGN_OR_RETURN(const Directory top, OpenDirectory(AT_FDCWD, path));
  VARVE_RETURN_IF_ERROR(Empty(top).In("remove " + path));
  if (::rmdir(path.c_str()) != 0 && errno != ENOENT) return ErrnoError(errno, path);
  return Ok();
}

}  // namespace varve
