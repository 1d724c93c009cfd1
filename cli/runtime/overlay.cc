#include "cli/runtime/overlay.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "cli/runtime/remove_tree.h"

namespace varve {
namespace {

constexpr std::array<std::pair<const char*, const char*>, 9> kOptions = {{
    {"source", "varve"},
    {"lowerdir", "lower"},
    {"upperdir", "upper"},
    {"workdir", "work"},
    {"xino", "on"},  // one st_dev for files and directories
    {"index", "off"},
    {"metacopy", "off"},
    {"redirect_dir", "off"},
    {"nfs_export", "off"},
}};

// `errno` with what the kernel left to say about it in the context's log ("e overlay: ...").
Error Refused(int context, const std::string& what) {
  Error error = ErrnoError(errno, "overlay " + what);
  std::array<char, 512> text;
  const ssize_t n = ::read(context, text.data(), text.size());
  if (n <= 0) return error;
  std::string_view said(text.data(), static_cast<std::size_t>(n));
  if (said.ends_with('\n')) said.remove_suffix(1);
  return Error(error.code(), fmt::format("{} ({})", error.message(), said));
}

// overlayfs refuses a work directory that a volatile mount left, since a crash may have cost data; we have had none, or
// the upper were gone. The root of an overlay looks like its upper directory, so that must look like the image's root.
Status MakeDirectories(int root) {
  VARVE_RETURN_IF_ERROR(RemoveTree("work"));
  for (const char* name : {"lower", "work", "bundle/rootfs"}) {
    if (::mkdir(name, 0755) != 0 && errno != EEXIST) return ErrnoError(errno, name);
  }
  if (::mkdir("upper", 0755) != 0) return errno == EEXIST ? Ok() : ErrnoError(errno, "upper");
  struct stat info{};
  if (::fstatat(root, "", &info, AT_EMPTY_PATH) != 0) return ErrnoError(errno, "the image's root");
  const std::array<timespec, 2> times = {info.st_atim, info.st_mtim};
  if (::chown("upper", info.st_uid, info.st_gid) != 0 || ::chmod("upper", info.st_mode & 07777) != 0 ||
      ::utimensat(AT_FDCWD, "upper", times.data(), 0) != 0) {
    return ErrnoError(errno, "upper");
  }
  return Ok();
}

}  // namespace

Result<UniqueFd> MountOverlay(const UniqueFd& root, Upper upper) {
  VARVE_RETURN_IF_ERROR(MakeDirectories(root.get()));
  if (::move_mount(root.get(), "", AT_FDCWD, "lower", MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return ErrnoError(errno, "attach the image's root");

  const UniqueFd context(::fsopen("overlay", FSOPEN_CLOEXEC));
  if (!context.valid()) return ErrnoError(errno, "this kernel has no overlay file system");
  for (const auto& [key, value] : kOptions) {
    if (::fsconfig(context.get(), FSCONFIG_SET_STRING, key, value, 0) != 0) {
      return Refused(context.get(), fmt::format("option {}={}", key, value));
    }
  }
  // Nothing has to be written back of what is thrown away.
  if (upper == Upper::kThrownAway && ::fsconfig(context.get(), FSCONFIG_SET_FLAG, "volatile", nullptr, 0) != 0)
    return Refused(context.get(), "option volatile");
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return Refused(context.get(), "mount");
  UniqueFd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
  if (!mount.valid()) return Refused(context.get(), "mount");
  if (::move_mount(mount.get(), "", AT_FDCWD, "bundle/rootfs", MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return ErrnoError(errno, "attach the overlay");
  return mount;
}

}  // namespace varve
