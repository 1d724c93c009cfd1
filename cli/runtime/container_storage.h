#pragma once

#include <string>
#include <vector>

#include "cached/base/result.h"
#include "cli/runtime/room.h"

namespace varve {

// The images that it is to mount, in the order in which they come in its mounts.
Result<std::vector<std::string>> MountedImages(const StorageOptions& options);

// All that a container mounts beyond what each has: what was asked for, what it takes from other containers, and a new
// volume for each of `image_volumes` (the paths that its image declares) where nothing of that is. Volumes without a
// name have one now. Nothing is made yet.
Result<std::vector<ContainerMount>> PlanMounts(const ContainerRoom& room, const StorageOptions& options,
                                               const std::vector<std::string>& image_volumes);

// Makes what is to be mounted and not there: directories of the host, and volumes, which begin as what the image has at
// their place. The container `id` has a record that names them.
Status ProvideMounts(const ContainerRoom& room, const std::string& id, const std::vector<ContainerMount>& mounts,
                     int image_root);

}  // namespace varve
