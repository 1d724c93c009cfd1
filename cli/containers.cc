#include "cli/containers.h"

#include <fmt/core.h>

#include <filesystem>

#include "cli/runtime/container.h"

namespace varve {

namespace {

Result<UniqueFd> RootOfChain(Session& session, const ContainerRecord& record, const std::string& chain_id,
                             const std::string& image) {
  VARVE_ASSIGN_OR_RETURN(const Digest chain, Digest::FromHexText(chain_id));
  VARVE_RETURN_IF_ERROR(session.Daemon());  // the driver waits for it, but does not start it
  Result<UniqueFd> root = session.ImageRoot(ChainId{chain});
  if (root.ok() || root.error().code() != Code::kNotFound) return root;
  return Error(Code::kNotFound, fmt::format("container {}: its image {} is not in the store any more; pull it again",
                                            record.name, image));
}

}  // namespace

Result<UniqueFd> RootOf(Session& session, const ContainerRecord& record) {
  return RootOfChain(session, record, record.chain_id, record.image + " (" + record.image_id + ")");
}

Result<ContainerRoots> RootsOf(Session& session, const ContainerRecord& record) {
  ContainerRoots roots;
  VARVE_ASSIGN_OR_RETURN(roots.image, RootOf(session, record));
  for (const ContainerMount& mount : record.mounts) {
    if (mount.kind != MountKind::kImage) continue;
    VARVE_ASSIGN_OR_RETURN(UniqueFd root, RootOfChain(session, record, mount.chain_id, mount.name));
    roots.mounted.push_back(std::move(root));
  }
  return roots;
}

Status WithFilesOf(Session& session, const std::string& name, ShownMounts shown,
                   const std::function<Status(const Container& container, int root)>& work) {
  const ContainerRoom room(session.paths().containers());
  VARVE_ASSIGN_OR_RETURN(const Container container, room.Find(name));
  if (container.state.status == ContainerStatus::kRunning) {
    return WithContainerFiles(room, container, UniqueFd(), shown, [&](int root) { return work(container, root); });
  }
  VARVE_ASSIGN_OR_RETURN(LockedContainer locked, room.Lock(container.record.id));
  if (locked->state.status == ContainerStatus::kRunning)
    return Error(Code::kUnavailable, "container " + name + " has just been started; try again");
  VARVE_ASSIGN_OR_RETURN(const UniqueFd image_root, RootOf(session, locked->record));
  return WithContainerFiles(room, *locked, image_root, shown, [&](int root) { return work(*locked, root); });
}

Status StartOn(const Session& session, LockedContainer& container, ContainerRoots roots,
               const std::function<Status()>& before_start) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return ErrnoError(error.value(), "/proc/self/exe");
  const ContainerRoom room(session.paths().containers());
  return StartHeld(room, container, std::move(roots), {self.string(), "container-ended"}, before_start);
}

}  // namespace varve
