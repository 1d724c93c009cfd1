#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cached/base/bytes.h"
#include "cached/base/fd.h"
#include "cached/base/result.h"

namespace varve {

struct Volume {
  std::string name;
  std::string created = {};  // RFC 3339
  std::map<std::string, std::string> labels = {};
  bool anonymous = false;  // made for one container
};

class LockedVolumes;

// Where volumes are kept: directories that outlive the containers which mount them.
//
//   .lock                held (flock) while a volume is made or removed
//   <name>/volume.json   what is known of it
//   <name>/_data         its content
//   .new, .old           one in the making or going: made and removed by the lock's holder, garbage for the next
//
// A volume appears under its name by one rename, whole with all that it begins with, and goes by another.
// Any number of processes.
class VolumeRoom {
 public:
  explicit VolumeRoom(std::string directory) : directory_(std::move(directory)) {}

  std::string DataOf(const std::string& name) const { return directory_ + "/" + name + "/_data"; }
  // kNotFound, in docker's words.
  Result<Volume> Find(const std::string& name) const;
  // By name. What is damaged is left out, with a warning.
  Result<std::vector<Volume>> List() const;
  Result<LockedVolumes> Lock() const;

 private:
  friend class LockedVolumes;
  std::string directory_;
};

class LockedVolumes {
 public:
  // Makes the volume if there is none of its name. With a `seed`, an open directory, one that is made, or is there and
  // empty, becomes a copy of that.
  Status Provide(const Volume& volume, std::optional<int> seed);
  // OK if there is none.
  Status Remove(const std::string& name);

 private:
  friend class VolumeRoom;
  LockedVolumes(VolumeRoom room, UniqueFd lock) : room_(std::move(room)), lock_(std::move(lock)) {}
  Status Make(const std::string& directory, const Volume& volume, std::optional<int> seed) const;

  VolumeRoom room_;
  UniqueFd lock_;
};

// volume.json.
std::string VolumeRecordJson(const Volume& volume);
// kDataLoss if `json` is not one of ours, kFailedPrecondition if a newer varve wrote it.
Result<Volume> ParseVolumeRecord(ByteSpan json);

}  // namespace varve
