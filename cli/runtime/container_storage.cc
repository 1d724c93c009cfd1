#include "cli/runtime/container_storage.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "cached/base/fs.h"
#include "cli/runtime/inside.h"
#include "cli/runtime/key_value.h"
#include "cli/runtime/names.h"
#include "cli/runtime/storage_options.h"
#include "cli/runtime/time_text.h"
#include "cli/runtime/volumes.h"

namespace varve {
namespace {

using Mounts = std::vector<ContainerMount>;

Result<Mounts> AskedMounts(const StorageOptions& options) {
  Mounts mounts;
  std::set<std::string> destinations;
  const auto add = [&](const std::vector<std::string>& specs, auto parse) -> Status {
    for (const std::string& spec : specs) {
      VARVE_ASSIGN_OR_RETURN(ContainerMount mount, parse(spec));
      if (!destinations.insert(mount.destination).second)
        return Error(Code::kInvalidArgument, "duplicate mount point: " + mount.destination);
      mounts.push_back(std::move(mount));
    }
    return Ok();
  };
  VARVE_RETURN_IF_ERROR(add(options.volumes, ParseVolume));
  VARVE_RETURN_IF_ERROR(add(options.mounts, ParseMount));
  VARVE_RETURN_IF_ERROR(add(options.tmpfs, ParseTmpfs));
  return mounts;
}

bool IsTaken(const Mounts& mounts, const std::string& destination) {
  return std::ranges::find(mounts, destination, &ContainerMount::destination) != mounts.end();
}

Status AddMountsOf(const ContainerRoom& room, const std::string& spec, Mounts& mounts) {
  const std::size_t colon = std::min(spec.find(':'), spec.size());
  const std::string access = spec.substr(std::min(colon + 1, spec.size()));
  if (!access.empty() && access != "ro" && access != "rw")
    return Error(Code::kInvalidArgument, fmt::format("volumes-from \"{}\": it is ro or rw", spec));
  VARVE_ASSIGN_OR_RETURN(const Container other, room.Find(spec.substr(0, colon)));
  for (ContainerMount mount : other.record.mounts) {
    const bool outlives = mount.kind == MountKind::kVolume || mount.kind == MountKind::kBind;
    if (!outlives || IsTaken(mounts, mount.destination)) continue;
    mount.read_only = mount.read_only || access == "ro";
    mounts.push_back(std::move(mount));
  }
  return Ok();
}

// What the image has at `destination`, if that is a directory.
Result<UniqueFd> OpenSeed(int image_root, const std::string& destination) {
  Result<UniqueFd> seed = OpenInside(image_root, destination, O_RDONLY | O_DIRECTORY);
  if (!seed.ok() && seed.error().code() == Code::kNotFound) return UniqueFd();
  struct stat info{};
  const Result<UniqueFd> other = OpenInside(image_root, destination, O_PATH);
  if (!seed.ok() && other.ok() && ::fstat(other->get(), &info) == 0 && !S_ISDIR(info.st_mode))
    return Error(Code::kInvalidArgument,
                 fmt::format("{} is no directory in the image: no volume fits there", destination));
  return seed;
}

Status ProvideVolume(const ContainerRoom& room, const std::string& id, const ContainerMount& mount, int image_root) {
  VARVE_ASSIGN_OR_RETURN(const UniqueFd seed, OpenSeed(image_root, mount.destination));
  VARVE_ASSIGN_OR_RETURN(LockedVolumes volumes, room.volumes().Lock());
  VARVE_ASSIGN_OR_RETURN(const auto users, room.VolumeUsers());
  const auto found = users.find(mount.name);
  const bool alone = found == users.end() || found->second == std::vector{id};
  const Volume volume{.name = mount.name,
                      .created = TimeText(std::chrono::system_clock::now()),
                      .labels = LabelsFrom(mount.labels),
                      .anonymous = mount.anonymous};
  return volumes.Provide(volume, seed.valid() && mount.copy && alone ? std::optional(seed.get()) : std::nullopt)
      .In("volume " + mount.name);
}

}  // namespace

Result<std::vector<std::string>> MountedImages(const StorageOptions& options) {
  std::vector<std::string> names;
  for (const std::string& spec : options.mounts) {
    VARVE_ASSIGN_OR_RETURN(const ContainerMount mount, ParseMount(spec));
    if (mount.kind == MountKind::kImage) names.push_back(mount.name);
  }
  return names;
}

Result<Mounts> PlanMounts(const ContainerRoom& room, const StorageOptions& options,
                          const std::vector<std::string>& image_volumes) {
  VARVE_ASSIGN_OR_RETURN(Mounts mounts, AskedMounts(options));
  for (const std::string& spec : options.volumes_from) VARVE_RETURN_IF_ERROR(AddMountsOf(room, spec, mounts));
  for (const std::string& path : image_volumes) {
    VARVE_ASSIGN_OR_RETURN(ContainerMount mount, ParseVolume(path).In("the image's"));
    if (!IsTaken(mounts, mount.destination)) mounts.push_back(std::move(mount));
  }
  for (ContainerMount& mount : mounts) {
    if (mount.kind != MountKind::kVolume) continue;
    if (mount.name.empty()) mount.name = NewId();
    mount.source = room.volumes().DataOf(mount.name);
  }
  return mounts;
}

Status ProvideMounts(const ContainerRoom& room, const std::string& id, const Mounts& mounts, int image_root) {
  for (const ContainerMount& mount : mounts) {
    if (mount.kind == MountKind::kVolume) VARVE_RETURN_IF_ERROR(ProvideVolume(room, id, mount, image_root));
    struct stat info{};
    if (mount.kind != MountKind::kBind || !mount.make_source || ::stat(mount.source.c_str(), &info) == 0) continue;
    if (errno != ENOENT) return ErrnoError(errno, "volume " + mount.source);
    VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(mount.source).In("volume"));
  }
  return Ok();
}

}  // namespace varve
