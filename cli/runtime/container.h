#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cached/base/fd.h"
#include "cached/base/result.h"
#include "cached/oci/image_config.h"
#include "cli/runtime/options.h"
#include "cli/runtime/room.h"

namespace varve {

struct MountedImage {
  std::string chain_id;  // hex
  UniqueFd root;         // as RunImage's
};

struct RunImage {
  std::string name;      // as it was asked for
  std::string id;        // "sha256:…" of its config
  std::string chain_id;  // hex
  ImageConfig config;
  UniqueFd root;  // a detached mount (open_tree with OPEN_TREE_CLONE) of the image's root; never written to
  std::vector<MountedImage> mounted = {};  // what MountedImages (container_storage.h) names
};

// The detached roots that a container is started on: of its image, and of the images that it mounts, in the order of
// its mounts.
struct ContainerRoots {
  UniqueFd image = {};
  std::vector<UniqueFd> mounted = {};
};
ContainerRoots RootsOf(RunImage image);

// Makes a container that does not run yet. What options say of the caller's world (variables, env files, volumes that
// do not exist) is resolved now. Sweeps what others left. kInvalidArgument and kNotFound for what cannot be meant.
Result<LockedContainer> CreateContainer(const ContainerRoom& room, const RunOptions& asked_for, const RunImage& image);

// Runs a container that does not run as a child of ours, without a terminal, and returns its exit code: its own, 128 +
// the signal that ended it, or docker's 125, 126 or 127 where runc could not start it and has said why on standard
// error. An error is for everything that failed before that. Standard output and error are ours, signals are forwarded,
// and it does not outlive us. Needs root and runc. One at a time in a
// process.
Result<int> RunAsChild(const ContainerRoom& room, LockedContainer container, ContainerRoots roots);

// Starts it, held by conmon, which executes `exit_command` with the container's id when it has ended: that has to call
// RecordEnd (life.h). `before_start` is called once its state says that it runs and before it does anything. When it
// cannot be started, the error says why, its StartExitCode (runc.h) is docker's and in the state, and a container with
// AtEnd::kRemoved is removed.
Status StartHeld(const ContainerRoom& room, LockedContainer& container, ContainerRoots roots,
                 const std::vector<std::string>& exit_command, const std::function<Status()>& before_start);

}  // namespace varve
