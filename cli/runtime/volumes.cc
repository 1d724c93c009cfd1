#include "cli/runtime/volumes.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "cached/base/fs.h"
#include "cached/base/log.h"
#include "cli/runtime/copy_tree.h"
#include "cli/runtime/names.h"
#include "cli/runtime/remove_tree.h"
#include "cli/runtime/storage_options.h"

namespace varve {
namespace {

constexpr std::uint64_t kVolumeRecordBytesMax = 1 << 20;

bool Exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Status Rename(const std::string& from, const std::string& to) {
  return ::rename(from.c_str(), to.c_str()) == 0 ? Ok() : ErrnoError(errno, to);
}

}  // namespace

Result<Volume> VolumeRoom::Find(const std::string& name) const {
  const std::string path = directory_ + "/" + name + "/volume.json";
  Result<Bytes> json = CheckVolumeName(name).ok() ? ReadWholeFile(Fs::Real(), path, kVolumeRecordBytesMax)
                                                  : Result<Bytes>(Error(Code::kNotFound, name));
  if (!json.ok() && json.error().code() == Code::kNotFound)
    return Error(Code::kNotFound, "get " + name + ": no such volume");
  if (!json.ok()) return json.error();
  return ParseVolumeRecord(*json).In(path);
}

Result<std::vector<Volume>> VolumeRoom::List() const {
  std::vector<Volume> volumes;
  if (!Exists(directory_)) return volumes;
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, Fs::Real().List(directory_));
  for (const std::string& name : names) {
    if (name.starts_with('.')) continue;
    Result<Volume> volume = Find(name);
    if (volume.ok()) {
      volumes.push_back(std::move(*volume));
    } else if (volume.error().code() != Code::kNotFound) {
      LogWarning("{}", volume.error().message());
    }
  }
  return volumes;
}

Result<LockedVolumes> VolumeRoom::Lock() const {
  VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(directory_));
  VARVE_ASSIGN_OR_RETURN(UniqueFd lock, LockFile(directory_ + "/.lock", LOCK_EX));
  for (const char* garbage : {"/.new", "/.old"}) VARVE_RETURN_IF_ERROR(RemoveTree(directory_ + garbage));
  return LockedVolumes(*this, std::move(lock));
}

Status LockedVolumes::Make(const std::string& directory, const Volume& volume, std::optional<int> seed) const {
  const std::string data = directory + "/_data";
  VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(data));
  if (::chmod(data.c_str(), 0755) != 0) return ErrnoError(errno, data);
  if (seed) {
    VARVE_RETURN_IF_ERROR(CopyTree(*seed, data));
    const UniqueFd written(::open(data.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!written.valid() || ::syncfs(written.get()) != 0) return ErrnoError(errno, data);
  }
  return WriteFileAtomically(Fs::Real(), directory + "/volume.json", AsBytes(VolumeRecordJson(volume)));
}

Status LockedVolumes::Provide(const Volume& volume, std::optional<int> seed) {
  VARVE_RETURN_IF_ERROR(CheckVolumeName(volume.name));
  const std::string data = room_.DataOf(volume.name);
  const std::string fresh = room_.directory_ + "/.new";
  std::error_code error;
  const bool there = Exists(data);
  if (there && (!seed || !std::filesystem::is_empty(data, error))) return Ok();
  const Status made = Make(fresh, volume, seed);
  if (made.ok() && !there) {
    VARVE_RETURN_IF_ERROR(Rename(fresh, room_.directory_ + "/" + volume.name));
    return Fs::Real().SyncDirectory(room_.directory_);
  }
  // A directory takes the place of an empty one; if it is not empty any more, that is what it has.
  if (made.ok() && ::rename((fresh + "/_data").c_str(), data.c_str()) != 0 && errno != ENOTEMPTY && errno != EEXIST)
    return ErrnoError(errno, data);
  const Status removed = RemoveTree(fresh);
  return made.ok() ? removed : made;
}

Status LockedVolumes::Remove(const std::string& name) {
  VARVE_RETURN_IF_ERROR(CheckVolumeName(name));
  const std::string directory = room_.directory_ + "/" + name;
  if (!Exists(directory)) return Ok();
  const std::string old = room_.directory_ + "/.old";
  VARVE_RETURN_IF_ERROR(Rename(directory, old));
  return RemoveTree(old);
}

}  // namespace varve
