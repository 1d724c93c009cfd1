#pragma once

#include <string>
#include <vector>

namespace varve {

// What a container is to mount, as it was asked for, in docker's syntax (storage_options.h).
struct StorageOptions {
  std::vector<std::string> volumes;       // "[HOST|NAME:]CONTAINER[:OPTION,...]"
  std::vector<std::string> mounts;        // "type=…,source=…,target=…"
  std::vector<std::string> tmpfs;         // "PATH[:OPTION,...]"
  std::vector<std::string> volumes_from;  // "CONTAINER[:ro]"
};

enum class MountKind { kVolume, kBind, kTmpfs, kImage };

// One of those mounts, understood. What a record keeps of it is what each start mounts.
struct ContainerMount {
  MountKind kind = MountKind::kVolume;
  std::string name = {};      // of a volume; empty for one without a name, until the container is made; or of an image
  std::string chain_id = {};  // hex, of an image
  // On the host: of a bind mount, or of what a container has: a volume, or the place where its starts attach an image.
  std::string source = {};
  std::string destination = {};           // absolute, normalised
  std::string mode = {};                  // the options of -v, as they were given
  std::string propagation = {};           // of a bind mount
  std::vector<std::string> options = {};  // of a tmpfs, in the kernel's words
  std::vector<std::string> labels = {};   // "KEY=VALUE", for a volume that is new
  bool read_only = false;
  bool recursive = true;     // a bind mount takes along what is mounted below its source
  bool make_source = false;  // a bind mount whose source is missing gets a directory
  bool anonymous = false;    // a volume that was made for this container alone
  bool copy = true;          // a volume that is empty begins as what the image has there
};

}  // namespace varve
