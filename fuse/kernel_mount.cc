#include "fuse/kernel_mount.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "cached/base/fs.h"
#include "cached/base/mount_table.h"

namespace varve {

namespace {

bool IsAtOrBelow(const std::string& path, const std::string& top) {
  return top == "/" || path == top || path.starts_with(top + "/");
}

// The namespace starts with a copy of every mount there is, and a copy keeps its file system: whoever unmounts the
// original would find the device still busy, and an overlay's upper directory still in use.
void DropUnneededMounts(const RootPaths& paths) {
  const std::array<std::string, 5> needed = {paths.root, paths.sockets, "/dev", "/proc", "/sys"};
  const std::vector<MountLine> table = ReadMountTable();
  for (auto line = table.rbegin(); line != table.rend(); ++line) {
    const bool leads_there =
        std::ranges::any_of(needed, [&](const std::string& place) { return IsAtOrBelow(place, line->directory); });
    // What fails is covered by another mount, and stays.
    if (!leads_there && !IsAtOrBelow(line->directory, paths.root))
      ::umount2(line->directory.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  }
}

}  // namespace

Status EnterPrivateMountNamespace(const RootPaths& paths) {
  if (::unshare(CLONE_NEWNS) != 0) return ErrnoError(errno, "a mount namespace of its own");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) return ErrnoError(errno, "make / rslave");
  DropUnneededMounts(paths);
  return Ok();
}

Result<KernelMount> KernelMount::Create(std::string directory) {
  VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(directory));
  if (::chmod(directory.c_str(), 0700) != 0) return ErrnoError(errno, directory);
  UniqueFd device(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!device.valid()) return ErrnoError(errno, "/dev/fuse (is the fuse module loaded?)");
  const std::string options =
      fmt::format("fd={},rootmode=40555,user_id=0,group_id=0,allow_other,default_permissions", device.get());
  if (::mount(directory.c_str(), directory.c_str(), "fuse.varve", MS_RDONLY | MS_NOSUID | MS_NODEV, options.c_str()) !=
      0) {
    return ErrnoError(errno, fmt::format("mount FUSE on {}", directory));
  }
  return KernelMount(std::move(directory), std::move(device));
}

KernelMount::KernelMount(KernelMount&& other) noexcept
    : directory_(std::exchange(other.directory_, {})), device_(std::move(other.device_)) {}

KernelMount::~KernelMount() {
  if (!directory_.empty()) ::umount2(directory_.c_str(), MNT_FORCE | MNT_DETACH);
}

Status KernelMount::SetReadAhead(unsigned kib) const {
  struct stat root{};
  if (::stat(directory_.c_str(), &root) != 0) return ErrnoError(errno, directory_);
  const std::string path = fmt::format("/sys/class/bdi/{}:{}/read_ahead_kb", major(root.st_dev), minor(root.st_dev));
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  const std::string value = fmt::format("{}\n", kib);
  if (!file.valid() || ::write(file.get(), value.data(), value.size()) < 0) return ErrnoError(errno, path);
  return Ok();
}

Result<UniqueFd> KernelMount::CloneImage(const ChainId& chain_id) const {
  const std::string path = directory_ + "/" + chain_id.hex();
  UniqueFd mount(::open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!mount.valid()) return ErrnoError(errno, path);
  return mount;
}

}  // namespace varve
