#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cached/base/fd.h"
#include "cached/base/result.h"
#include "cli/runtime/room.h"

// What is done to containers that exist. All may be called for any container at any time, by any number of processes.

namespace varve {

inline constexpr std::chrono::seconds kStopTimeout{10};

// Watches a container until it ends. While one lives, a container with AtEnd::kRemoved is not removed (for two seconds
// at most), so that its end can be seen.
class EndWatch {
 public:
  enum class WakeOn { kEnd, kOutputOrEnd };
  using Deadline = std::optional<std::chrono::steady_clock::time_point>;

  // kNotFound.
  static Result<EndWatch> Open(const ContainerRoom& room, const std::string& id, WakeOn wake_on);

  // The container as it is.
  Result<Container> Look() const { return room_.Load(id_); }
  // Returns when something has happened since Open or the last call, or at the deadline.
  Status AwaitChange(const Container& seen, Deadline deadline);
  // The container once it does not live any more; as it is at the deadline.
  Result<Container> AwaitEnd(Deadline deadline);
  // The container once `run`, as which it was seen, has ended, even if its restart policy or somebody else lets it live
  // on; as it is at the deadline.
  Result<Container> AwaitEndOf(const ContainerState& run, Deadline deadline);
  // The container once `holds` says so of its state.
  Result<Container> Await(const std::function<bool(const ContainerState&)>& holds);
  // The container as it was seen last, once it is removed.
  Result<Container> AwaitRemoved();
  // Lets a container with AtEnd::kRemoved, which has ended, go, and returns once it is removed.
  Status AwaitRemoval(const Container& ended);

 private:
  EndWatch(const ContainerRoom& room, std::string id, UniqueFd hold, UniqueFd events);
  // Until something happens to the container or `process`, a pidfd (or -1), ends.
  Status AwaitEvent(int process, Deadline deadline);

  ContainerRoom room_;
  std::string id_;
  UniqueFd hold_;
  UniqueFd events_;
};

// To its first process. kFailedPrecondition, in docker's words, if it does not run. SIGKILL and its stop signal are
// meant to end it: its restart policy does not start it again.
Status SignalContainer(const ContainerRoom& room, const Container& container, int signal);

// A pidfd of its first process. kFailedPrecondition if it does not run.
Result<UniqueFd> OpenFirstProcess(const Container& container);
Result<ProcessId> FirstProcessOf(const Container& container);

// Freezes and thaws all processes of a container that runs. kFailedPrecondition, in docker's words, if it does not run,
// or is (not) frozen.
Status PauseContainer(const ContainerRoom& room, const Container& container);
Status UnpauseContainer(const ContainerRoom& room, const Container& container);

// runc speaks of processes in its own pid namespace: that of a container in the foreground is one below ours, and the
// calling thread enters it.
Status EnterRuncsNamespaces(const Container& container);

// Sends its stop signal, and SIGKILL to what lives on after `timeout` (without: the container's own), until its end is
// recorded. OK for one that does not run. `wish` is not kNone: what is to become of it then.
Status StopContainer(const ContainerRoom& room, const std::string& id, std::optional<std::chrono::seconds> timeout,
                     Wish wish);
// SIGKILL, until its end is recorded.
Status KillContainer(const ContainerRoom& room, const std::string& id);
// All that live, at once.
Status StopAll(const ContainerRoom& room);

enum class Running { kRefused, kKilled };
Status RemoveContainer(const ContainerRoom& room, const std::string& id, Running running, AnonymousVolumes volumes);

struct Pruned {
  std::vector<std::string> ids;
  std::uint64_t bytes = 0;  // that they had written
};
// Removes all that do not run and that `chosen` says so of.
Result<Pruned> PruneContainers(const ContainerRoom& room, const std::function<bool(const Container&)>& chosen);

// Records the end of a container, and removes it if that is what its options or nobody's wish say.
Status FinishEnd(LockedContainer& container, int exit_code);

// What conmon's exit command has to do, in the mount namespace that conmon held: records how the container ended, and
// starts it again by `start_again` if its restart policy says so. Nothing happens if conmon, our parent, does not hold
// it (any more).
Status RecordEnd(const ContainerRoom& room, const std::string& id,
                 const std::function<Status(LockedContainer&)>& start_again);

}  // namespace varve
