#include "cli/mounts.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cached/base/fs.h"
#include "cli/runtime/remove_tree.h"

namespace varve {
namespace {

Status Attach(const UniqueFd& root, const std::string& directory, std::uint64_t attributes) {
  struct mount_attr wanted{};
  wanted.attr_set = attributes;
  wanted.attr_clr = attributes & MOUNT_ATTR_NOSUID ? 0 : MOUNT_ATTR_NOSUID;
  if (::syscall(SYS_mount_setattr, root.get(), "", AT_EMPTY_PATH, &wanted, sizeof(wanted)) != 0)
    return ErrnoError(errno, directory);
  if (::syscall(SYS_move_mount, root.get(), "", AT_FDCWD, directory.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return ErrnoError(errno, directory);
  }
  return Ok();
}

Result<std::string> RealPath(const std::string& path) {
  char* const resolved = ::realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return ErrnoError(errno, path);
  std::string real(resolved);
  ::free(resolved);
  return real;
}

// Undoes the octal escapes of /proc/self/mountinfo.
std::string Unescape(const std::string& field) {
  std::string text;
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i] == '\\' && i + 3 < field.size()) {
      text += static_cast<char>((field[i + 1] - '0') * 64 + (field[i + 2] - '0') * 8 + (field[i + 3] - '0'));
      i += 3;
    } else {
      text += field[i];
    }
  }
  return text;
}

std::string ScratchOf(const std::string& super_options, const RootPaths& paths) {
  const std::string mark = "workdir=" + paths.mounts() + "/";
  const std::size_t at = super_options.find(mark);
  if (at == std::string::npos) return "";
  const std::size_t begin = at + mark.size();
  const std::size_t end = std::min(super_options.find_first_of("/,", begin), super_options.size());
  return paths.mounts() + "/" + super_options.substr(begin, end - begin);
}

}  // namespace

Status AttachImage(const UniqueFd& root, const std::string& directory, SetuidFiles setuid_files) {
  const std::uint64_t nosuid = setuid_files == SetuidFiles::kIgnored ? MOUNT_ATTR_NOSUID : 0;
  return Attach(root, directory, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | nosuid);
}

Status AttachWritable(const RootPaths& paths, UniqueFd root, const std::string& directory, const std::string& upper,
                      SetuidFiles setuid_files) {
  VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(paths.mounts()));
  std::string scratch = paths.mounts() + "/XXXXXX";
  if (::mkdtemp(scratch.data()) == nullptr) return ErrnoError(errno, scratch);
  std::string upper_directory = scratch + "/upper";
  std::string work = scratch + "/work";
  if (!upper.empty()) {
    VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(upper));
    VARVE_ASSIGN_OR_RETURN(upper_directory, RealPath(upper));
    work = upper_directory + ".work";  // overlayfs wants both on one file system
  }
  const std::string lower = scratch + "/lower";
  for (const std::string& made : {lower, upper_directory, work})
    VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(made));
  struct stat info{};
  if (::fstat(root.get(), &info) != 0) return ErrnoError(errno, "image root");
  if (upper.empty() && (::chmod(upper_directory.c_str(), info.st_mode & 07777) != 0 ||
                        ::chown(upper_directory.c_str(), info.st_uid, info.st_gid) != 0)) {
    return ErrnoError(errno, upper_directory);
  }
  VARVE_RETURN_IF_ERROR(Attach(root, lower, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID));
  const std::string options = "lowerdir=" + lower + ",upperdir=" + upper_directory + ",workdir=" + work +
                              ",xino=on,index=off,metacopy=off,redirect_dir=off,nfs_export=off";
  const unsigned long flags =
      MS_NODEV | (setuid_files == SetuidFiles::kIgnored ? static_cast<unsigned long>(MS_NOSUID) : 0UL);
  const int mounted = ::mount("overlay", directory.c_str(), "overlay", flags, options.c_str());
  const int why = errno;
  ::umount2(lower.c_str(), MNT_DETACH);  // the overlay keeps a mount of its own
  if (mounted != 0) return ErrnoError(why, "overlay at " + directory);
  return Ok();
}

Result<std::vector<UserMount>> ListMounts(const RootPaths& paths) {
  std::ifstream file("/proc/self/mountinfo");
  std::vector<UserMount> mounts;
  std::string line;
  while (std::getline(file, line)) {
    // id parent major:minor root mountpoint options [optional…] - type source super-options
    std::istringstream words(line);
    std::vector<std::string> fields;
    for (std::string word; words >> word;) fields.push_back(Unescape(word));
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (fields.size() < 10 || fields.end() - dash < 4) continue;
    const std::string& type = dash[1];
    UserMount mount{fields[4], "", ""};
    if (type == "fuse.varve" && dash[2] == paths.rootfs() && fields[3].size() == 65) {
      mount.chain_id = fields[3].substr(1);
    } else if (type == "overlay") {
      mount.scratch = ScratchOf(dash[3], paths);
    }
    if (!mount.chain_id.empty() || !mount.scratch.empty()) mounts.push_back(std::move(mount));
  }
  return mounts;
}

Status Unmount(const RootPaths& paths, const std::string& directory, Busy busy) {
  auto real = RealPath(directory);
  // A mount whose varve-fuse has died answers nothing, not even stat.
  const std::string where = real.ok() ? *real : std::filesystem::absolute(directory).lexically_normal().string();
  VARVE_ASSIGN_OR_RETURN(const std::vector<UserMount> mounts, ListMounts(paths));
  const auto found =
      std::find_if(mounts.rbegin(), mounts.rend(), [&](const UserMount& mount) { return mount.directory == where; });
  if (found == mounts.rend()) return Error(Code::kNotFound, directory + ": varve has nothing mounted there");
  if (::umount2(where.c_str(), busy == Busy::kDetached ? MNT_DETACH : 0) != 0) return ErrnoError(errno, directory);
  return found->scratch.empty() ? Ok() : RemoveTree(found->scratch);
}

}  // namespace varve
