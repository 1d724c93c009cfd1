#include "cli/mounts.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cached/base/bytes.h"
#include "cached/base/check.h"
#include "cached/base/fs.h"
#include "cli/runtime/remove_tree.h"

namespace varve {
namespace {

constexpr std::size_t kChainRootBytes = 65;  // "/" and a chain ID: the image's directory in the mount of varve-fuse

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

// The directory of a writable mount below the root of varve:
//
//   image    the chain ID, in hex: what to mount again
//   lower    where the image is attached while the overlay is made
//   upper    what is written; a symlink to the caller's directory if one was named, and then
//   work     is a symlink to a directory beside that one, since overlayfs wants both on one file system
Result<std::string> MakeScratch(const RootPaths& paths, const ChainId& chain_id, const UniqueFd& root,
                                const std::string& upper) {
  VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(paths.mounts()));
  std::string scratch = paths.mounts() + "/XXXXXX";
  if (::mkdtemp(scratch.data()) == nullptr) return ErrnoError(errno, scratch);
  VARVE_ASSIGN_OR_RETURN(const auto image, Fs::Real().Open(scratch + "/image", OpenMode::kCreateNew));
  VARVE_RETURN_IF_ERROR(image->WriteAt(0, AsBytes(chain_id.hex())));
  VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(scratch + "/lower"));
  if (!upper.empty()) {
    VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(upper));
    VARVE_ASSIGN_OR_RETURN(const std::string real, RealPath(upper));
    VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(real + ".work"));
    if (::symlink(real.c_str(), (scratch + "/upper").c_str()) != 0 ||
        ::symlink((real + ".work").c_str(), (scratch + "/work").c_str()) != 0) {
      return ErrnoError(errno, scratch);
    }
    return scratch;
  }
  for (const char* name : {"/upper", "/work"}) VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(scratch + name));
  struct stat info{};
  if (::fstat(root.get(), &info) != 0) return ErrnoError(errno, "image root");
  const std::string made = scratch + "/upper";
  if (::chmod(made.c_str(), info.st_mode & 07777) != 0 || ::chown(made.c_str(), info.st_uid, info.st_gid) != 0)
    return ErrnoError(errno, made);
  return scratch;
}

Status MountScratch(const std::string& scratch, const UniqueFd& root, const std::string& directory,
                    SetuidFiles setuid_files) {
  const std::string lower = scratch + "/lower";
  VARVE_RETURN_IF_ERROR(Attach(root, lower, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID));
  const std::string options = "lowerdir=" + lower + ",upperdir=" + scratch + "/upper,workdir=" + scratch +
                              "/work,xino=on,index=off,metacopy=off,redirect_dir=off,nfs_export=off";
  const unsigned long flags =
      MS_NODEV | (setuid_files == SetuidFiles::kIgnored ? static_cast<unsigned long>(MS_NOSUID) : 0UL);
  const int mounted = ::mount("overlay", directory.c_str(), "overlay", flags, options.c_str());
  const int why = errno;
  ::umount2(lower.c_str(), MNT_DETACH);  // the overlay keeps a mount of its own
  if (mounted != 0) return ErrnoError(why, "overlay at " + directory);
  return Ok();
}

// What was written to a caller's own directory stays; its work directory is of no use to anybody.
Status RemoveScratch(const std::string& scratch) {
  std::error_code error;
  const std::filesystem::path work = std::filesystem::read_symlink(scratch + "/work", error);
  if (!error) VARVE_RETURN_IF_ERROR(RemoveTree(work));
  return RemoveTree(scratch);
}

struct MountLine {
  std::string root;  // in its file system
  std::string directory;
  std::string options;
  std::string type;
  std::string source;
  std::string super_options;
};

// Of the caller's mount namespace, in the order of mounting.
std::vector<MountLine> ReadMountInfo() {
  std::ifstream file("/proc/self/mountinfo");
  std::vector<MountLine> lines;
  for (std::string line; std::getline(file, line);) {
    // id parent major:minor root mountpoint options [optional…] - type source super-options
    std::istringstream words(line);
    std::vector<std::string> fields;
    for (std::string word; words >> word;) fields.push_back(Unescape(word));
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (fields.size() < 10 || fields.end() - dash < 4) continue;
    lines.push_back({fields[3], fields[4], fields[5], dash[1], dash[2], dash[3]});
  }
  return lines;
}

// Whether the varve-fuse behind a mount has died. The kernel goes on giving what it has cached, so this asks for a name
// that nobody has asked for before.
bool IsDead(const UserMount& mount) {
  std::array<std::byte, 16> random;
  VARVE_CHECK(::getrandom(random.data(), random.size(), 0) == static_cast<ssize_t>(random.size()));
  const std::string name = mount.directory + "/.varve-" + ToHex(random);
  return ::faccessat(AT_FDCWD, name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOTCONN;
}

// Two overlays on one upper directory are asking for trouble, so a writable mount goes only when nobody uses it. A
// mount below another is somebody's data: to detach it along would let writes meant for it end up elsewhere.
Status DetachDead(const UserMount& mount) {
  if (::umount2(mount.directory.c_str(), UMOUNT_NOFOLLOW) == 0) return Ok();
  if (errno != EBUSY) return ErrnoError(errno, "umount");
  if (!mount.scratch.empty()) {
    return Error(Code::kFailedPrecondition, "it is still in use; end what uses it, or unmount what is mounted below");
  }
  for (const MountLine& line : ReadMountInfo()) {
    if (line.directory.starts_with(mount.directory + "/"))
      return Error(Code::kFailedPrecondition, "unmount " + line.directory + " first");
  }
  if (::umount2(mount.directory.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0) return ErrnoError(errno, "umount");
  return Ok();
}

void WarnOfDead(const UserMount& mount, const Error& error) {
  const std::string kept = mount.scratch.empty() ? "" : "; what was written is kept in " + mount.scratch + "/upper";
  fmt::print(stderr, "Warning: {}: varve-fuse died under this mount, and it is not mounted anew: {}{}\n",
             mount.directory, error.message(), kept);
}

struct DetachedMount {
  UserMount mount;
  UniqueFd root;
};

// Upper mounts before those that they are mounted on.
std::vector<DetachedMount> DetachAllDead(const std::vector<UserMount>& mounts, const ImageRootSource& image_root) {
  std::vector<DetachedMount> detached;
  for (auto mount = mounts.rbegin(); mount != mounts.rend(); ++mount) {
    if (!IsDead(*mount)) continue;
    const auto chain = Digest::FromHexText(mount->chain_id);
    auto root = chain.ok() ? image_root(ChainId{*chain}) : Result<UniqueFd>(chain.error());
    const Status gone = root.ok() ? DetachDead(*mount) : Status(root.error());
    if (gone.ok()) {
      detached.push_back({*mount, std::move(root).value()});
    } else {
      WarnOfDead(*mount, gone.error());
    }
  }
  return detached;
}

}  // namespace

Status AttachImage(const UniqueFd& root, const std::string& directory, SetuidFiles setuid_files) {
  const std::uint64_t nosuid = setuid_files == SetuidFiles::kIgnored ? MOUNT_ATTR_NOSUID : 0;
  return Attach(root, directory, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | nosuid);
}

Status AttachWritable(const RootPaths& paths, const ChainId& chain_id, const UniqueFd& root,
                      const std::string& directory, const std::string& upper, SetuidFiles setuid_files) {
  VARVE_ASSIGN_OR_RETURN(const std::string scratch, MakeScratch(paths, chain_id, root, upper));
  Status mounted = MountScratch(scratch, root, directory, setuid_files);
  if (!mounted.ok()) RemoveScratch(scratch).IgnoreError("the first error says why");
  return mounted;
}

Result<std::vector<UserMount>> ListMounts(const RootPaths& paths) {
  std::vector<UserMount> mounts;
  for (const MountLine& line : ReadMountInfo()) {
    UserMount mount{.directory = line.directory, .chain_id = "", .scratch = ""};
    if (line.type == "fuse.varve" && line.source == paths.rootfs() && line.root.size() == kChainRootBytes) {
      mount.chain_id = line.root.substr(1);
    } else if (line.type == "overlay") {
      mount.scratch = ScratchOf(line.super_options, paths);
    }
    if (!mount.scratch.empty()) {
      const auto image = ReadWholeFile(Fs::Real(), mount.scratch + "/image", kChainRootBytes);
      if (image.ok()) mount.chain_id = AsText(*image);
    }
    if (mount.chain_id.empty() && mount.scratch.empty()) continue;
    const bool nosuid = ("," + line.options + ",").find(",nosuid,") != std::string::npos;
    mount.setuid_files = nosuid ? SetuidFiles::kIgnored : SetuidFiles::kHonoured;
    mounts.push_back(std::move(mount));
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
  return found->scratch.empty() ? Ok() : RemoveScratch(found->scratch);
}

Status ReviveMounts(const RootPaths& paths, const ImageRootSource& image_root) {
  VARVE_ASSIGN_OR_RETURN(const std::vector<UserMount> seen, ListMounts(paths));
  if (std::none_of(seen.begin(), seen.end(), IsDead)) return Ok();
  // One command at a time; the one that waited finds nothing left to do.
  const UniqueFd lock(::open(paths.lock("mounts").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid() || ::flock(lock.get(), LOCK_EX) != 0) return ErrnoError(errno, paths.lock("mounts"));
  VARVE_ASSIGN_OR_RETURN(const std::vector<UserMount> mounts, ListMounts(paths));
  const std::vector<DetachedMount> detached = DetachAllDead(mounts, image_root);
  for (auto dead = detached.rbegin(); dead != detached.rend(); ++dead) {
    const auto& [mount, root] = *dead;
    const Status attached = mount.scratch.empty()
                                ? AttachImage(root, mount.directory, mount.setuid_files)
                                : MountScratch(mount.scratch, root, mount.directory, mount.setuid_files);
    if (attached.ok()) {
      fmt::print(stderr, "{}: mounted anew, since varve-fuse had died\n", mount.directory);
    } else {
      WarnOfDead(mount, attached.error());
    }
  }
  return Ok();
}

}  // namespace varve
