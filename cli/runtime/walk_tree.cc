#include "cli/runtime/walk_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <memory>
#include <string_view>
#include <vector>

namespace varve {
namespace {

using Visit = std::function<Result<Below>(const TreeEntry&)>;

std::string PathOf(const TreeEntry& entry) { return fmt::format("/proc/self/fd/{}", entry.fd); }

Error ErrorAt(const TreeEntry& entry, int number) { return ErrnoError(number, "/" + entry.path); }

// Every path is opened from the root anew: what is held of a deep tree is a path, not a descriptor for each level.
UniqueFd OpenBelow(int root, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root, path.empty() ? "." : path.c_str(), &how, sizeof(how))));
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

Result<std::vector<std::string>> NamesIn(const TreeEntry& entry) {
  VARVE_ASSIGN_OR_RETURN(UniqueFd fd, OpenForReading(entry));
  const std::unique_ptr<DIR, CloseDirectory> directory(::fdopendir(fd.get()));
  if (directory == nullptr) return ErrorAt(entry, errno);
  fd.Release();
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* found = ::readdir(directory.get())) {  // NOLINT(concurrency-mt-unsafe): the stream is ours
    const std::string_view name = found->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return ErrorAt(entry, errno);
  std::ranges::sort(names);
  return names;
}

// ENOTDIR and ELOOP: a directory on the way is none any more.
bool IsGone(int number) { return number == ENOENT || number == ENOTDIR || number == ELOOP || number == EAGAIN; }

Status Walk(int root, const std::string& path, const Visit& visit) {
  std::vector<std::string> names;
  {
    const UniqueFd fd = OpenBelow(root, path);
    TreeEntry entry{.path = path, .info = {}, .fd = fd.get()};
    if (!fd.valid()) return IsGone(errno) ? Ok() : ErrorAt(entry, errno);
    if (::fstat(fd.get(), &entry.info) != 0) return ErrorAt(entry, errno);
    VARVE_ASSIGN_OR_RETURN(const Below below, visit(entry));
    if (below == Below::kLeftOut || !S_ISDIR(entry.info.st_mode)) return Ok();
    VARVE_ASSIGN_OR_RETURN(names, NamesIn(entry));
  }
  const std::string parent = path.empty() ? "" : path + "/";
  for (const std::string& name : names) VARVE_RETURN_IF_ERROR(Walk(root, fmt::format("{}{}", parent, name), visit));
  return Ok();
}

}  // namespace

Status WalkTree(int root, const std::string& start, const Visit& visit) { return Walk(root, start, visit); }

std::uint64_t DiskBytes(const std::string& directory) {
  constexpr std::uint64_t kBlockBytes = 512;
  std::uint64_t bytes = 0;
  const UniqueFd root(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return bytes;
  const auto add = [&](const TreeEntry& entry) -> Result<Below> {
    const std::uint64_t links = S_ISDIR(entry.info.st_mode) ? 1 : std::max<std::uint64_t>(entry.info.st_nlink, 1);
    bytes += static_cast<std::uint64_t>(entry.info.st_blocks) * kBlockBytes / links;
    return Below::kVisited;
  };
  WalkTree(root.get(), "", add).IgnoreError("what is too deep for a path is removed all the same");
  return bytes;
}

Result<std::optional<struct stat>> LookBelow(int root, const std::string& path) {
  const UniqueFd fd = OpenBelow(root, path);
  if (!fd.valid() && IsGone(errno)) return std::optional<struct stat>();
  struct stat info{};
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0) return ErrnoError(errno, "/" + path);
  return std::optional(info);
}

Result<std::vector<std::string>> ListBelow(int root, const std::string& path) {
  const UniqueFd fd = OpenBelow(root, path);
  if (!fd.valid()) return ErrnoError(errno, "/" + path);
  return NamesIn({.path = path, .info = {}, .fd = fd.get()});
}

Result<UniqueFd> OpenForReading(const TreeEntry& entry) {
  UniqueFd fd(::open(PathOf(entry).c_str(), O_RDONLY | O_NOATIME | O_CLOEXEC));
  if (!fd.valid()) return ErrorAt(entry, errno);
  return fd;
}

Result<std::string> ReadLink(const TreeEntry& entry) {
  std::string target(PATH_MAX, '\0');
  const ssize_t size = ::readlinkat(entry.fd, "", target.data(), target.size());
  if (size < 0) return ErrorAt(entry, errno);
  target.resize(static_cast<std::size_t>(size));
  return target;
}

Result<std::map<std::string, Bytes>> ReadXattrs(const TreeEntry& entry) {
  std::map<std::string, Bytes> xattrs;
  const std::string path = PathOf(entry);
  std::string names(XATTR_LIST_MAX, '\0');
  const ssize_t size = ::listxattr(path.c_str(), names.data(), names.size());
  if (size < 0 && (errno == ENOTSUP || errno == EPERM)) return xattrs;  // EPERM: of a symlink or a device
  if (size < 0) return ErrorAt(entry, errno);
  names.resize(static_cast<std::size_t>(size));
  for (std::string_view left = names; !left.empty();) {
    const std::string name(left.substr(0, left.find('\0')));
    left.remove_prefix(std::min(name.size() + 1, left.size()));
    if (name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.")) continue;
    Bytes value(XATTR_SIZE_MAX);
    const ssize_t n = ::getxattr(path.c_str(), name.c_str(), value.data(), value.size());
    if (n < 0 && errno == ENODATA) continue;
    if (n < 0) return ErrorAt(entry, errno);
    value.resize(static_cast<std::size_t>(n));
    xattrs.emplace(name, std::move(value));
  }
  return xattrs;
}

}  // namespace varve
