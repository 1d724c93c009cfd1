#include "cli/runtime/copy_tree.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <map>
#include <utility>
#include <vector>

#include "cli/runtime/walk_tree.h"

namespace varve {
namespace {

constexpr std::size_t kPieceBytes = 1 << 20;

Status CopyContent(const TreeEntry& entry, const std::string& path) {
  VARVE_ASSIGN_OR_RETURN(const UniqueFd from, OpenForReading(entry));
  const UniqueFd to(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!to.valid()) return ErrnoError(errno, path);
  Bytes piece(kPieceBytes);
  for (;;) {
    const ssize_t size = ::read(from.get(), piece.data(), piece.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return ErrnoError(errno, "/" + entry.path);
    if (size == 0) return Ok();
    for (ssize_t done = 0; done < size;) {
      const ssize_t n = ::write(to.get(), piece.data() + done, static_cast<std::size_t>(size - done));
      if (n < 0) return ErrnoError(errno, path);
      done += n;
    }
  }
}

Status Make(const TreeEntry& entry, const std::string& path) {
  if (S_ISREG(entry.info.st_mode)) return CopyContent(entry, path);
  int made = 0;
  if (S_ISLNK(entry.info.st_mode)) {
    VARVE_ASSIGN_OR_RETURN(const std::string target, ReadLink(entry));
    made = ::symlink(target.c_str(), path.c_str());
  } else if (!S_ISDIR(entry.info.st_mode)) {
    made = ::mknod(path.c_str(), entry.info.st_mode, entry.info.st_rdev);
  } else if (!entry.path.empty()) {
    made = ::mkdir(path.c_str(), 0700);
  }
  return made == 0 ? Ok() : ErrnoError(errno, path);
}

// The owner before the mode and the xattrs: a change of owner clears setuid bits and capabilities.
Status CopyAttributes(const TreeEntry& entry, const std::string& path) {
  const struct stat& info = entry.info;
  if (::lchown(path.c_str(), info.st_uid, info.st_gid) != 0) return ErrnoError(errno, path);
  if (!S_ISLNK(info.st_mode) && ::chmod(path.c_str(), info.st_mode & 07777) != 0) return ErrnoError(errno, path);
  VARVE_ASSIGN_OR_RETURN(const auto xattrs, ReadXattrs(entry));
  for (const auto& [name, value] : xattrs) {
    if (::lsetxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0) != 0)
      return ErrnoError(errno, fmt::format("{}: {}", path, name));
  }
  return Ok();
}

Status SetTimes(const std::string& path, const struct stat& info) {
  const std::array<timespec, 2> times = {info.st_atim, info.st_mtim};
  if (::utimensat(AT_FDCWD, path.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) == 0) return Ok();
  return ErrnoError(errno, path);
}

}  // namespace

Status CopyTree(int from, const std::string& to) {
  std::map<std::pair<dev_t, ino_t>, std::string> linked;         // the first path of each file with several
  std::vector<std::pair<std::string, struct stat>> directories;  // whose times change until all is there
  VARVE_RETURN_IF_ERROR(WalkTree(from, "", [&](const TreeEntry& entry) -> Result<Below> {
    const std::string path = entry.path.empty() ? to : to + "/" + entry.path;
    if (S_ISSOCK(entry.info.st_mode)) return Below::kLeftOut;
    if (!S_ISDIR(entry.info.st_mode) && entry.info.st_nlink > 1) {
      const auto [first, is_new] = linked.try_emplace({entry.info.st_dev, entry.info.st_ino}, path);
      if (!is_new) {
        if (::link(first->second.c_str(), path.c_str()) != 0) return ErrnoError(errno, path);
        return Below::kLeftOut;
      }
    }
    VARVE_RETURN_IF_ERROR(Make(entry, path));
    VARVE_RETURN_IF_ERROR(CopyAttributes(entry, path));
    if (S_ISDIR(entry.info.st_mode)) {
      directories.emplace_back(path, entry.info);
    } else {
      VARVE_RETURN_IF_ERROR(SetTimes(path, entry.info));
    }
    return Below::kVisited;
  }));
  for (auto directory = directories.rbegin(); directory != directories.rend(); ++directory)
    VARVE_RETURN_IF_ERROR(SetTimes(directory->first, directory->second));
  return Ok();
}

}  // namespace varve
