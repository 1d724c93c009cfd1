#include "cli/mounts.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <utility>

#include "cached/base/bytes.h"
#include "cached/base/check.h"
#include "cached/base/fs.h"
#include "cached/base/mount_table.h"
#include "cached/client/driver_protocol.h"
#include "cli/scratch.h"

namespace varve {
namespace {

constexpr std::size_t kChainRootBytes = 65;  // "/" and a chain ID: the image's directory in the mount of varve-fuse

std::optional<UserMount> OfThisRoot(const MountLine& line, const RootPaths& paths) {
  UserMount mount;
  mount.directory = line.directory;
  if (line.type == "fuse.varve" && line.source == paths.rootfs() && line.root.size() == kChainRootBytes) {
    mount.chain_id = line.root.substr(1);
  } else if (line.type == "overlay") {
    mount.scratch = ScratchOf(line.super_options, paths);
  }
  if (mount.chain_id.empty() && mount.scratch.empty()) return std::nullopt;
  if (!mount.scratch.empty()) {
    const auto image = ReadWholeFile(Fs::Real(), mount.scratch + "/image", kChainRootBytes);
    if (image.ok()) mount.chain_id = AsText(*image);
  }
  const bool nosuid = ("," + line.options + ",").find(",nosuid,") != std::string::npos;
  mount.setuid_files = nosuid ? SetuidFiles::kIgnored : SetuidFiles::kHonoured;
  return mount;
}

// Whether the varve-fuse behind a mount has died. The kernel goes on giving what it has cached, so this asks for a name
// that nobody has asked for before.
bool IsDead(const UserMount& mount) {
  std::array<std::byte, 16> random;
  VARVE_CHECK(::getrandom(random.data(), random.size(), 0) == static_cast<ssize_t>(random.size()));
  const std::string name = fmt::format("{}/{}{}", mount.directory, kProbePrefix, ToHex(random));
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
  for (const MountLine& line : ReadMountTable()) {
    if (line.directory.starts_with(mount.directory + "/"))
      return Error(Code::kFailedPrecondition, "unmount " + line.directory + " first");
  }
  if (::umount2(mount.directory.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0) return ErrnoError(errno, "umount");
  return Ok();
}

// `written` is the upper directory of a writable mount.
void WarnOfDead(const UserMount& mount, const Error& error, const std::string& written) {
  fmt::print(stderr, "Warning: {}: varve-fuse died under this mount, and it is not mounted anew: {}{}\n",
             mount.directory, error.message(), written.empty() ? "" : "; what was written is kept in " + written);
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
      WarnOfDead(*mount, gone.error(), mount->scratch.empty() ? "" : mount->scratch + "/upper");
    }
  }
  return detached;
}

}  // namespace

Status CheckMountPoint(const RootPaths& paths, const std::string& directory) {
  std::error_code error;
  const std::string where = std::filesystem::canonical(directory, error).string();
  if (error) return ErrnoError(error.value(), directory);
  if (!std::filesystem::is_directory(where, error))
    return Error(Code::kInvalidArgument, directory + ": is not a directory");
  if ((where + "/").starts_with(paths.root + "/"))
    return Error(Code::kInvalidArgument, directory + ": is varve's own (" + paths.root + "); mount outside of it");
  return Ok();
}

Status AttachWritable(const RootPaths& paths, const ChainId& chain_id, const UniqueFd& root,
                      const std::string& directory, const std::string& upper, SetuidFiles setuid_files) {
  Status mounted;
  {
    VARVE_ASSIGN_OR_RETURN(const UniqueFd lock, LockScratches(paths));
    VARVE_ASSIGN_OR_RETURN(const std::string scratch, MakeScratch(paths, chain_id, root, upper));
    mounted = MountScratch(scratch, root, directory, setuid_files);
  }
  const Status swept = SweepScratches(paths);  // what others left, and this one if it is not mounted
  return mounted.ok() ? swept : mounted;
}

Result<std::vector<UserMount>> ListMounts(const RootPaths& paths) {
  std::vector<UserMount> mounts;
  for (const MountLine& line : ReadMountTable()) {
    if (auto mount = OfThisRoot(line, paths)) mounts.push_back(std::move(*mount));
  }
  return mounts;
}

Status Unmount(const RootPaths& paths, const std::string& directory, Busy busy) {
  std::error_code error;
  std::filesystem::path where = std::filesystem::canonical(directory, error);
  // A mount whose varve-fuse has died answers nothing, not even stat.
  if (error) where = std::filesystem::absolute(directory).lexically_normal();
  const std::vector<MountLine> table = ReadMountTable();
  const auto top =
      std::find_if(table.rbegin(), table.rend(), [&](const auto& line) { return line.directory == where; });
  if (top == table.rend() || !OfThisRoot(*top, paths)) {
    return Error(Code::kNotFound, directory + ": varve has nothing mounted there" +
                                      (top == table.rend() ? "" : ", or " + top->type + " is mounted over it"));
  }
  if (::umount2(where.c_str(), busy == Busy::kDetached ? MNT_DETACH : 0) != 0) {
    if (errno == EBUSY)
      return Error(Code::kFailedPrecondition, directory + ": is in use; end what uses it, or use --lazy");
    return ErrnoError(errno, directory);
  }
  return SweepScratches(paths);
}

Status ReviveMounts(const RootPaths& paths, const ImageRootSource& image_root) {
  VARVE_ASSIGN_OR_RETURN(const std::vector<UserMount> seen, ListMounts(paths));
  if (std::none_of(seen.begin(), seen.end(), IsDead)) return Ok();
  // One command at a time; the one that waited finds nothing left to do.
  VARVE_ASSIGN_OR_RETURN(const UniqueFd lock, LockScratches(paths));
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
      WarnOfDead(mount, attached.error(), mount.scratch.empty() ? "" : KeepScratch(mount.scratch));
    }
  }
  return Ok();
}

}  // namespace varve
