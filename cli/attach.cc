#include "cli/attach.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace varve {

Status AttachImage(const UniqueFd& root, const std::string& directory, SetuidFiles setuid_files) {
  struct mount_attr wanted{};
  wanted.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV;
  (setuid_files == SetuidFiles::kIgnored ? wanted.attr_set : wanted.attr_clr) |= MOUNT_ATTR_NOSUID;
  if (::syscall(SYS_mount_setattr, root.get(), "", AT_EMPTY_PATH, &wanted, sizeof(wanted)) != 0)
    return ErrnoError(errno, directory);
  if (::move_mount(root.get(), "", AT_FDCWD, directory.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return ErrnoError(errno, directory);
  return Ok();
}

}  // namespace varve
