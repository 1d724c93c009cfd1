#include "cli/runtime/pause.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <thread>

#include "cli/runtime/life.h"
#include "cli/runtime/programs.h"
#include "cli/runtime/runc.h"

// A frozen container does not even end by SIGKILL (cgroup v1), so it must not stay frozen. Whoever thaws it is
// therefore not us but a child that waits until our end of a pipe is closed: by us when the work is done, by the kernel
// if we are killed.

namespace varve {
namespace {

constexpr const char* kGuard = "trap '' HUP INT TERM; read -r line; exec \"$0\" --root \"$1\" resume \"$2\"";

struct Pause {
  pid_t guard;
  UniqueFd hold;  // the guard's pipe
};

Status Freeze(const std::string& runc, const std::string& root, const std::string& id) {
  VARVE_ASSIGN_OR_RETURN(const Said said, RunProgram({.arguments = {runc, "--root", root, "pause", id}}));
  return said.exit_code == 0 ? Ok() : Error(Code::kInternal, "it cannot be paused: " + said.text);
}

Result<Pause> Begin(const ContainerRoom& room, const Container& container) {
  VARVE_ASSIGN_OR_RETURN(const std::string runc, FindRunc());
  VARVE_RETURN_IF_ERROR(EnterRuncsNamespaces(container));
  const std::string root = room.BundleOf(container.record.id) + "/runc";
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return ErrnoError(errno, "pipe");
  const UniqueFd reader(ends[0]);
  UniqueFd hold(ends[1]);
  VARVE_ASSIGN_OR_RETURN(const pid_t guard,
                         Spawn({.arguments = {"/bin/sh", "-c", kGuard, runc, root, container.record.id},
                                .descriptors = {{reader.get(), STDIN_FILENO}}}));
  const Status frozen = Freeze(runc, root, container.record.id);
  if (frozen.ok()) return Pause{guard, std::move(hold)};
  hold.Reset();
  VARVE_RETURN_IF_ERROR(AwaitExit(guard));
  return frozen.error();
}

Status End(Pause pause) {
  pause.hold.Reset();
  VARVE_ASSIGN_OR_RETURN(const int exit_code, AwaitExit(pause.guard));
  return exit_code == 0 ? Ok()
                        : Error(Code::kInternal, fmt::format("it stays paused: runc resume exits {}", exit_code));
}

}  // namespace

Status WhilePaused(const ContainerRoom& room, const Container& container, const std::function<Status()>& work) {
  Result<Pause> pause = Error(Code::kInternal, "it was not paused");
  std::thread thread([&] { pause = Begin(room, container); });  // whose namespaces are the container's afterwards
  thread.join();
  if (!pause.ok()) return pause.error();
  const Status worked = work();
  const Status ended = End(std::move(*pause));
  return worked.ok() ? ended : worked;
}

}  // namespace varve
