#include "cli/runtime/container_files.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "cli/runtime/inside.h"
#include "cli/runtime/life.h"
#include "cli/runtime/namespaces.h"
#include "cli/runtime/overlay.h"

// A container that runs has its overlay mounted, in a namespace of its own, and a second overlay on the same upper
// directory would be undefined. So its root is cloned there, alone, and attached here. One that does not run gets the
// overlay that it would run on.

namespace varve {
namespace {

Result<UniqueFd> CloneRunningRoot(const Container& container) {
  const UniqueFd ours(::open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC));
  if (!ours.valid()) return ErrnoError(errno, "/proc/thread-self/ns/mnt");
  VARVE_ASSIGN_OR_RETURN(const UniqueFd first, OpenFirstProcess(container));
  if (::setns(first.get(), CLONE_NEWNS) != 0) return ErrnoError(errno, "the mount namespace of the container");
  UniqueFd root(::open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  const int why = errno;
  if (::setns(ours.get(), CLONE_NEWNS) != 0) return ErrnoError(errno, "the mount namespace before");
  if (!root.valid()) return ErrnoError(why, "the root of the container");
  return root;
}

Status MakeDirectoriesInside(int root, const std::string& path) {
  for (std::size_t slash = path.find('/', 1); !path.empty(); slash = path.find('/', slash + 1)) {
    const std::string prefix = path.substr(0, slash);
    const Result<UniqueFd> there = OpenInside(root, prefix, O_PATH);
    if (!there.ok()) {
      if (there.error().code() != Code::kNotFound) return there.error();
      const std::size_t last = prefix.rfind('/');
      VARVE_ASSIGN_OR_RETURN(const UniqueFd parent,
                             OpenInside(root, "/" + prefix.substr(0, last), O_PATH | O_DIRECTORY));
      if (::mkdirat(parent.get(), prefix.substr(last + 1).c_str(), 0755) != 0) return ErrnoError(errno, prefix);
    }
    if (slash == std::string::npos) break;
  }
  return Ok();
}

// What is mounted over, made as the runtime would make it for a container that has never been started.
Result<UniqueFd> OpenPlace(int root, const std::string& path, mode_t type) {
  const std::size_t last = path.rfind('/');
  VARVE_RETURN_IF_ERROR(MakeDirectoriesInside(root, S_ISDIR(type) ? path : path.substr(0, last)));
  if (!S_ISDIR(type)) {
    VARVE_ASSIGN_OR_RETURN(const UniqueFd parent, OpenInside(root, "/" + path.substr(0, last), O_PATH | O_DIRECTORY));
    if (::mknodat(parent.get(), path.substr(last + 1).c_str(), S_IFREG | 0644, 0) != 0 && errno != EEXIST)
      return ErrnoError(errno, path);
  }
  return OpenInside(root, path, O_PATH);
}

Status Attach(const ContainerMount& mount, int root) {
  const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (mount.recursive ? unsigned{AT_RECURSIVE} : 0U);
  const UniqueFd source(::open_tree(AT_FDCWD, mount.source.c_str(), flags));
  struct stat info{};
  if (!source.valid() || ::fstat(source.get(), &info) != 0) return ErrnoError(errno, mount.source);
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  if (mount.read_only && ::mount_setattr(source.get(), "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) != 0)
    return ErrnoError(errno, mount.source);
  VARVE_ASSIGN_OR_RETURN(const UniqueFd place, OpenPlace(root, mount.destination, info.st_mode));
  if (::move_mount(source.get(), "", place.get(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
    return ErrnoError(errno, mount.destination);
  return Ok();
}

// A parent before what lies below it.
Status AttachVolumes(std::vector<ContainerMount> mounts, int root) {
  std::ranges::sort(mounts, {}, [](const ContainerMount& mount) {
    return std::pair(std::ranges::count(mount.destination, '/'), mount.destination);
  });
  for (const ContainerMount& mount : mounts) {
    if (mount.kind == MountKind::kVolume || mount.kind == MountKind::kBind)
      VARVE_RETURN_IF_ERROR(Attach(mount, root).In("mount"));
  }
  return Ok();
}

Result<UniqueFd> MountFiles(const ContainerRoom& room, const Container& container, const UniqueFd& image_root) {
  const std::string directory = room.DirectoryOf(container.record.id);
  if (::chdir(directory.c_str()) != 0) return ErrnoError(errno, directory);
  if (container.state.status != ContainerStatus::kRunning) {
    return MountOverlay(image_root,
                        container.record.options.at_end == AtEnd::kRemoved ? Upper::kThrownAway : Upper::kKept);
  }
  VARVE_ASSIGN_OR_RETURN(UniqueFd root, CloneRunningRoot(container));
  const std::string place = directory + "/bundle/rootfs";
  if (::move_mount(root.get(), "", AT_FDCWD, place.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return ErrnoError(errno, place);
  return root;
}

}  // namespace

Status WithContainerFiles(const ContainerRoom& room, const Container& container, const UniqueFd& image_root,
                          ShownMounts shown, const std::function<Status(int root)>& work) {
  const Result<int> done = InPrivateNamespaces(Namespaces::kMounts, [&]() -> Result<int> {
    VARVE_ASSIGN_OR_RETURN(const UniqueFd root, MountFiles(room, container, image_root));
    if (shown == ShownMounts::kVolumes) VARVE_RETURN_IF_ERROR(AttachVolumes(container.record.mounts, root.get()));
    VARVE_RETURN_IF_ERROR(work(root.get()));
    return 0;
  });
  return done.ok() ? Ok() : Status(done.error());
}

}  // namespace varve
