#include "cli/runtime/life.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <thread>

#include "cli/runtime/cgroups.h"
#include "cli/runtime/conmon.h"
#include "cli/runtime/connection.h"
#include "cli/runtime/namespaces.h"
#include "cli/runtime/programs.h"
#include "cli/runtime/remove_tree.h"
#include "cli/runtime/runc.h"
#include "cli/runtime/signal_names.h"
#include "cli/runtime/time_text.h"
#include "cli/runtime/walk_tree.h"

extern "C" {  // glibc 2.36 forgot it
#include <sys/pidfd.h>
}

// Who records an end. Of a child of `varve run`: that, which waits for runc. Of one that conmon holds: conmon waits
// for it, writes the exit code into a file and executes `varve` once more, which takes the lock of the container
// and calls RecordEnd. If all of those are killed, nobody does, and whoever looks next (room.h) finds out.
//
// Restarts are made by that same last `varve`: it waits longer each time (100 ms, doubled up to a minute, as docker
// does), without the lock, and looks again before it starts, since somebody may have stopped or removed the container
// meanwhile. conmon waits for all its descendants and is their reaper, so that a chain of restarts would be a chain of
// conmons; it has nothing to do any more, and is ended.

namespace varve {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kKillLimit{10};
constexpr std::chrono::milliseconds kRestartDelay{100};
constexpr std::chrono::milliseconds kRestartDelayMax{60000};

Error NotRunning(const Container& container) {
  return Error(Code::kFailedPrecondition, fmt::format("container {} is not running", container.record.name));
}

bool IsToRestart(const Container& container, int exit_code) {
  const RestartPolicy& policy = container.record.options.restart;
  return container.state.wish == Wish::kNone && policy.on_failure && exit_code != 0 &&
         (!policy.most_times || container.state.restarts < *policy.most_times);
}

Status MarkRestarting(LockedContainer& container, int exit_code) {
  ContainerState& state = container->state;
  VARVE_ASSIGN_OR_RETURN(state.process, IdentifyProcess(::getpid()));
  state.keeper_process = state.process;
  state.status = ContainerStatus::kRestarting;
  state.exit_code = exit_code;
  state.finished = TimeText(std::chrono::system_clock::now());
  ++state.restarts;
  return container.SaveState();
}

Status StartAfterDelay(const ContainerRoom& room, const std::string& id, std::uint32_t restarts,
                       const std::function<Status(LockedContainer&)>& start_again) {
  constexpr std::uint32_t kDoublingsMax = 10;
  std::this_thread::sleep_for(std::min(kRestartDelay * (1 << std::min(restarts - 1, kDoublingsMax)), kRestartDelayMax));
  Result<LockedContainer> container = room.Lock(id);
  if (!container.ok()) return container.error().code() == Code::kNotFound ? Ok() : container.error();
  const ContainerState& state = (*container)->state;
  if (state.status != ContainerStatus::kRestarting || state.process.pid != ::getpid()) return Ok();
  const int exit_code = state.exit_code;
  const Status started = start_again(*container);
  if (started.ok()) return Ok();
  (*container)->state.error = started.error().message();
  return FinishEnd(*container, exit_code);
}

// Says that it is to end, and returns what lives; nothing if nothing does.
Result<std::optional<Container>> MarkWish(const ContainerRoom& room, const std::string& id, Wish wish) {
  VARVE_ASSIGN_OR_RETURN(LockedContainer container, room.Lock(id));
  ContainerState& state = container->state;
  if (!state.live()) return std::optional<Container>();
  state.wish = wish;
  if (state.status == ContainerStatus::kRestarting) {
    VARVE_RETURN_IF_ERROR(FinishEnd(container, state.exit_code));
    return std::optional<Container>();
  }
  VARVE_RETURN_IF_ERROR(container.SaveState());
  return std::optional<Container>(*container);
}

Status SendSignal(const Container& container, int signal) {
  VARVE_ASSIGN_OR_RETURN(const UniqueFd process, OpenFirstProcess(container));
  if (::pidfd_send_signal(process.get(), signal, nullptr, 0) == 0) return Ok();
  return errno == ESRCH ? NotRunning(container) : ErrnoError(errno, "signal container " + container.record.name);
}

Status RunRunc(const ContainerRoom& room, const Container& container, const char* verb) {
  VARVE_ASSIGN_OR_RETURN(const std::string runc, FindRunc());
  Result<Said> said = Said{};
  std::thread thread([&] {
    const Status entered = EnterRuncsNamespaces(container);
    const std::string& id = container.record.id;
    said = entered.ok() ? RunProgram({.arguments = {runc, "--root", room.BundleOf(id) + "/runc", verb, id}})
                        : Result<Said>(entered.error());
  });
  thread.join();
  if (!said.ok()) return said.error();
  return said->exit_code == 0 ? Ok() : Status(Error(Code::kInternal, fmt::format("runc {}: {}", verb, said->text)));
}

// One that is meant to end it. What is frozen gets it when it is thawed.
Status SendLastSignal(const ContainerRoom& room, const Container& container, int signal) {
  VARVE_RETURN_IF_ERROR(SendSignal(container, signal));
  return IsFrozen(container.record.id) ? RunRunc(room, container, "resume") : Ok();
}

// Whether what was seen as `run` runs as `now`.
bool IsSameRun(const ContainerState& now, const ContainerState& run) {
  return now.status == ContainerStatus::kRunning && now.started == run.started;
}

Status AwaitKilled(const ContainerRoom& room, EndWatch& watch, const Container& container) {
  Status killed = SendLastSignal(room, container, SIGKILL);
  if (!killed.ok() && killed.error().code() != Code::kFailedPrecondition) return killed;
  VARVE_ASSIGN_OR_RETURN(const Container now, watch.AwaitEndOf(container.state, Clock::now() + kKillLimit));
  if (!IsSameRun(now.state, container.state)) return Ok();
  return Error(Code::kDeadlineExceeded, fmt::format("container {} does not end", container.record.name));
}

// conmon, which waits for us, has nothing left to do but to hold ports that whoever sees the end may want.
Status EndHolder(const ProcessId& conmon) {
  const Result<UniqueFd> process = OpenProcess(conmon);
  if (!process.ok()) return process.error().code() == Code::kNotFound ? Ok() : process.error();
  if (::pidfd_send_signal(process->get(), SIGKILL, nullptr, 0) != 0 && errno != ESRCH)
    return ErrnoError(errno, "end conmon");
  pollfd ended{.fd = process->get(), .events = POLLIN, .revents = 0};
  while (::poll(&ended, 1, -1) < 0) {
    if (errno != EINTR) return ErrnoError(errno, "poll");
  }
  return Ok();
}

// What is not there any more has ended.
Status GoneIsEnded(const Status& status) {
  return !status.ok() && status.error().code() == Code::kNotFound ? Ok() : status;
}

}  // namespace

EndWatch::EndWatch(const ContainerRoom& room, std::string id, UniqueFd hold, UniqueFd events)
    : room_(room), id_(std::move(id)), hold_(std::move(hold)), events_(std::move(events)) {}

Result<EndWatch> EndWatch::Open(const ContainerRoom& room, const std::string& id, WakeOn wake_on) {
  const std::string directory = room.DirectoryOf(id);
  VARVE_ASSIGN_OR_RETURN(UniqueFd hold, room.Watch(id));
  UniqueFd events(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  const std::uint32_t mask = wake_on == WakeOn::kEnd ? IN_MOVED_TO : IN_MOVED_TO | IN_MODIFY;
  if (!events.valid() || ::inotify_add_watch(events.get(), directory.c_str(), mask | IN_DELETE_SELF) < 0)
    return ErrnoError(errno, directory);
  return EndWatch(room, id, std::move(hold), std::move(events));
}

Status EndWatch::AwaitChange(const Container& seen, Deadline deadline) {
  // With a keeper, the end is known once that has recorded it; without, once the process has ended.
  Result<UniqueFd> process = OpenProcess(seen.state.keeper_process);
  if (!process.ok()) process = OpenProcess(seen.state.process);
  if (!process.ok()) return Ok();
  return AwaitEvent(process->get(), deadline);
}

Status EndWatch::AwaitEvent(int process, Deadline deadline) {
  std::array<pollfd, 2> polls = {
      {{.fd = events_.get(), .events = POLLIN, .revents = 0}, {.fd = process, .events = POLLIN, .revents = 0}}};
  for (;;) {
    int timeout_ms = -1;
    if (deadline) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()).count();
      timeout_ms = static_cast<int>(std::clamp<std::int64_t>(left, 0, 1 << 30));
    }
    if (::poll(polls.data(), polls.size(), timeout_ms) >= 0) break;
    if (errno != EINTR) return ErrnoError(errno, "poll");
  }
  std::array<char, 4096> events;
  while (::read(events_.get(), events.data(), events.size()) > 0) continue;
  return Ok();
}

Result<Container> EndWatch::AwaitEnd(Deadline deadline) {
  for (;;) {
    VARVE_ASSIGN_OR_RETURN(Container container, Look());
    if (!container.state.live() || (deadline && Clock::now() >= *deadline)) return container;
    VARVE_RETURN_IF_ERROR(AwaitChange(container, deadline));
  }
}

Result<Container> EndWatch::AwaitEndOf(const ContainerState& run, Deadline deadline) {
  for (;;) {
    VARVE_ASSIGN_OR_RETURN(Container container, Look());
    if (!IsSameRun(container.state, run) || (deadline && Clock::now() >= *deadline)) return container;
    VARVE_RETURN_IF_ERROR(AwaitChange(container, deadline));
  }
}

Result<Container> EndWatch::Await(const std::function<bool(const ContainerState&)>& holds) {
  for (;;) {
    VARVE_ASSIGN_OR_RETURN(Container container, Look());
    if (holds(container.state)) return container;
    VARVE_RETURN_IF_ERROR(container.state.live() ? AwaitChange(container, std::nullopt) : AwaitEvent(-1, std::nullopt));
  }
}

Result<Container> EndWatch::AwaitRemoved() {
  VARVE_ASSIGN_OR_RETURN(Container last, Look());
  for (;;) {
    if (last.state.status == ContainerStatus::kExited) hold_.Reset();  // its end was seen
    VARVE_RETURN_IF_ERROR(last.state.live() ? AwaitChange(last, std::nullopt) : AwaitEvent(-1, std::nullopt));
    Result<Container> now = Look();
    if (!now.ok() && now.error().code() == Code::kNotFound) return last;
    if (!now.ok()) return now;
    last = std::move(*now);
  }
}

Status EndWatch::AwaitRemoval(const Container& ended) {
  hold_.Reset();
  while (::access(room_.DirectoryOf(id_).c_str(), F_OK) == 0 && Lives(ended.state.keeper_process))
    VARVE_RETURN_IF_ERROR(AwaitChange(ended, std::nullopt));
  return Ok();
}

Result<ProcessId> FirstProcessOf(const Container& container) {
  const ContainerState& state = container.state;
  if (state.status != ContainerStatus::kRunning) return NotRunning(container);
  return state.keeper == Keeper::kRun ? FirstProcessBelow(state.process.pid) : Result<ProcessId>(state.process);
}

Result<UniqueFd> OpenFirstProcess(const Container& container) {
  const Result<ProcessId> process = FirstProcessOf(container);
  if (!process.ok()) return process.error().code() == Code::kNotFound ? NotRunning(container) : process.error();
  Result<UniqueFd> pidfd = OpenProcess(*process);
  return pidfd.ok() ? std::move(pidfd) : Result<UniqueFd>(NotRunning(container));
}

Status SignalContainer(const ContainerRoom& room, const Container& container, int signal) {
  const bool ends = signal == SIGKILL || SignalName(signal) == container.record.stop_signal;
  if (!ends || !container.state.live()) return SendSignal(container, signal);
  VARVE_ASSIGN_OR_RETURN(const std::optional<Container> living, MarkWish(room, container.record.id, Wish::kStop));
  return living ? SendLastSignal(room, *living, signal) : Ok();
}

Status EnterRuncsNamespaces(const Container& container) {
  return container.state.keeper == Keeper::kRun ? EnterNamespacesOf(container.state.process.pid) : Ok();
}

Status PauseContainer(const ContainerRoom& room, const Container& container) {
  if (container.state.status != ContainerStatus::kRunning) return NotRunning(container);
  if (!container.paused) return RunRunc(room, container, "pause");
  return Error(Code::kFailedPrecondition, fmt::format("container {} is already paused", container.record.name));
}

Status UnpauseContainer(const ContainerRoom& room, const Container& container) {
  if (container.paused) return RunRunc(room, container, "resume");
  return Error(Code::kFailedPrecondition, fmt::format("container {} is not paused", container.record.name));
}

Status StopContainer(const ContainerRoom& room, const std::string& id, std::optional<std::chrono::seconds> timeout,
                     Wish wish) {
  VARVE_ASSIGN_OR_RETURN(EndWatch watch, EndWatch::Open(room, id, EndWatch::WakeOn::kEnd));
  VARVE_ASSIGN_OR_RETURN(const std::optional<Container> container, MarkWish(room, id, wish));
  if (!container) return Ok();
  const ContainerRecord& record = container->record;
  const auto own = record.options.stop_timeout_seconds;
  const auto grace = timeout ? *timeout : own ? std::chrono::seconds(*own) : kStopTimeout;
  VARVE_ASSIGN_OR_RETURN(const int signal, ParseSignal(record.stop_signal));
  const auto deadline = Clock::now() + grace;
  if (SendLastSignal(room, *container, signal).ok()) {  // else it is about to end
    const Result<Container> now = watch.AwaitEndOf(container->state, deadline);
    if (!now.ok()) return GoneIsEnded(now.error());
    if (!IsSameRun(now->state, container->state)) return Ok();
  }
  return GoneIsEnded(AwaitKilled(room, watch, *container));
}

Status KillContainer(const ContainerRoom& room, const std::string& id) {
  VARVE_ASSIGN_OR_RETURN(EndWatch watch, EndWatch::Open(room, id, EndWatch::WakeOn::kEnd));
  VARVE_ASSIGN_OR_RETURN(const std::optional<Container> container, MarkWish(room, id, Wish::kStop));
  return container ? GoneIsEnded(AwaitKilled(room, watch, *container)) : Ok();
}

Status StopAll(const ContainerRoom& room) {
  VARVE_ASSIGN_OR_RETURN(const std::vector<Container> containers, room.List());
  std::vector<Status> outcomes(containers.size());
  std::vector<std::thread> threads;
  for (std::size_t n = 0; n < containers.size(); ++n) {
    if (!containers[n].state.live()) continue;
    threads.emplace_back(
        [&, n] { outcomes[n] = GoneIsEnded(StopContainer(room, containers[n].record.id, std::nullopt, Wish::kStop)); });
  }
  for (std::thread& thread : threads) thread.join();
  for (Status& outcome : outcomes) VARVE_RETURN_IF_ERROR(std::move(outcome));
  return room.Sweep();
}

Status RemoveContainer(const ContainerRoom& room, const std::string& id, Running running, AnonymousVolumes volumes) {
  if (running == Running::kKilled) VARVE_RETURN_IF_ERROR(KillContainer(room, id));
  Result<LockedContainer> container = room.Lock(id);
  if (!container.ok()) {
    return running == Running::kKilled ? GoneIsEnded(container.error()) : Status(container.error());
  }
  if (!(*container)->state.live()) return container->Remove(volumes);
  return Error(Code::kFailedPrecondition, fmt::format("cannot remove container {}: it is {}; stop it first, or use -f",
                                                      (*container)->record.name, StatusName(**container)));
}

Result<Pruned> PruneContainers(const ContainerRoom& room, const std::function<bool(const Container&)>& chosen) {
  VARVE_ASSIGN_OR_RETURN(const std::vector<Container> containers, room.List());
  Pruned pruned;
  for (const Container& container : containers) {
    const std::string& id = container.record.id;
    if (container.state.live() || !chosen(container)) continue;
    const std::uint64_t bytes = DiskBytes(room.DirectoryOf(id));
    const Status removed = RemoveContainer(room, id, Running::kRefused, AnonymousVolumes::kKept);
    if (!removed.ok() &&
        (removed.error().code() == Code::kNotFound || removed.error().code() == Code::kFailedPrecondition))
      continue;  // somebody was faster, and has removed or started it
    if (!removed.ok()) return removed.error();
    pruned.ids.push_back(id);
    pruned.bytes += bytes;
  }
  return pruned;
}

Status FinishEnd(LockedContainer& container, int exit_code) {
  ContainerState& state = container->state;
  const Status removed = container.RemoveTraces();
  if (!removed.ok()) state.error = removed.error().message();  // the next start, removal or sweep tries again
  const Wish wish = std::exchange(state.wish, Wish::kNone);
  state.status = ContainerStatus::kExited;
  state.keeper = Keeper::kNobody;
  state.exit_code = exit_code;
  state.finished = TimeText(std::chrono::system_clock::now());
  VARVE_RETURN_IF_ERROR(container.SaveState());
  const bool thrown_away = container->record.options.at_end == AtEnd::kRemoved && wish != Wish::kRestart;
  return thrown_away ? container.Remove() : Ok();
}

Status RecordEnd(const ContainerRoom& room, const std::string& id,
                 const std::function<Status(LockedContainer&)>& start_again) {
  const std::string bundle = room.BundleOf(id);
  std::uint32_t restarts = 0;
  {
    Result<LockedContainer> container = room.Lock(id);
    if (!container.ok()) return GoneIsEnded(container.error());
    ContainerState& state = (*container)->state;
    const bool held = state.live() && state.keeper == Keeper::kConmon && state.keeper_process.pid == ::getppid();
    if (!held) return Ok();
    std::vector<std::string> mounts = {bundle + "/rootfs", room.DirectoryOf(id) + "/lower",
                                       bundle + kNamespaceInBundle};
    for (const ContainerMount& mount : (*container)->record.mounts) {
      if (mount.kind == MountKind::kImage) mounts.push_back(mount.source);
    }
    for (const std::string& mount : mounts) {
      if (::umount2(mount.c_str(), MNT_DETACH) != 0 && errno != EINVAL && errno != ENOENT)
        return ErrnoError(errno, mount);
    }
    VARVE_ASSIGN_OR_RETURN(const SeenEnd end, ReadExitFile(bundle, id));
    state.out_of_memory = ::access((bundle + "/oom").c_str(), F_OK) == 0;
    VARVE_RETURN_IF_ERROR(RemoveTree(bundle + "/runc"));
    const ProcessId conmon = state.keeper_process;
    if (!IsToRestart(**container, end.exit_code)) {
      container->RemoveTraces().IgnoreError("FinishEnd tries again, and says why");
      VARVE_RETURN_IF_ERROR(EndHolder(conmon));
      return FinishEnd(*container, end.exit_code);
    }
    VARVE_RETURN_IF_ERROR(MarkRestarting(*container, end.exit_code));
    restarts = state.restarts;
    VARVE_RETURN_IF_ERROR(EndHolder(conmon));
  }
  return StartAfterDelay(room, id, restarts, start_again);
}

}  // namespace varve
