#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "cached/base/fd.h"
#include "cached/base/result.h"

namespace varve {

// The directories of running containers: <state root>/<id>/, one a container, thrown away with it.
//
//   <state root>/lock    held for the moment of creating or listing, so that nobody sees half a container
//   <id>/lock            held (flock) by the `varve run` process for as long as it lives
//   <id>/name            "<pid of varve run> <name>"
//   <id>/...             the bundle: config.json, lower, upper, work, rootfs, runc's own state
//
// Whoever can take <id>/lock knows that the container is dead, whatever ended it, and may remove it.

std::string NewContainerId();  // 64 hex digits

class ContainerState {
 public:
  // `name` may be empty: the first twelve digits of `id`. kAlreadyExists if a running container has it.
  static Result<ContainerState> Create(const std::string& state_root, const std::string& id, const std::string& name);
  ContainerState(ContainerState&&) = default;
  ContainerState& operator=(ContainerState&&) = delete;
  ~ContainerState();  // removes the directory; what cannot be removed is left to SweepDead

  const std::string& id() const { return id_; }
  std::string directory() const { return state_root_ + "/" + id_; }

 private:
  ContainerState(std::string state_root, std::string id, UniqueFd lock);

  std::string state_root_;
  std::string id_;
  UniqueFd lock_;
};

struct RunningContainer {
  std::string id;
  std::string name;
  pid_t pid = 0;  // of its `varve run`, alive when it was listed
};
// Sorted by id; empty if `state_root` does not exist.
Result<std::vector<RunningContainer>> ListRunning(const std::string& state_root);

// Removes the containers whose process is gone. One that is still dying, or that another process removes, is left
// alone.
Status SweepDead(const std::string& state_root);

// Sends SIGTERM to every running container, SIGKILL to those that live on after `grace`, and sweeps.
Status StopRunning(const std::string& state_root, std::chrono::milliseconds grace);

}  // namespace varve
