#include "cli/runtime/namespaces.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sched.h>
#include <sys/mount.h>

#include <cerrno>
#include <string>
#include <thread>
#include <utility>

#include "cached/base/fd.h"

// A container that runs as a child of `varve run` must leave nothing behind, even if `varve run` or runc is killed with
// SIGKILL. No cleanup code can promise that, so the kernel does it:
//
//   varve run ── thread ── runc (pid 1 of a pid namespace) ── container's first process (pid 1 of its own)
//                  └── mount namespace: lower, overlay, /proc of the pid namespace
//
// The mounts exist in a namespace that only these processes are in: when the last is gone, so are they. The processes
// are all below one pid 1: when it ends, the kernel kills the rest. And pid 1 asks (PR_SET_PDEATHSIG) to be killed when
// the thread that made it ends. What is left is a directory on disk, which the next command sweeps (state.h).
//
// A container that conmon holds is to outlive us, so it gets a mount namespace alone: conmon is in it, and keeps it.
//
// Why a thread: unshare(2) of CLONE_NEWNS and CLONE_NEWPID affects the calling thread alone, so the rest of the
// process, gRPC's threads among it, does not notice. A re-executed helper would do the same for a second start of this
// program and a format for what to tell it; a plain fork would have to mount with nothing but async-signal-safe calls.

namespace varve {
namespace {

Status Enter(Namespaces which) {
  if (::unshare(which == Namespaces::kMounts ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWPID) != 0)
    return ErrnoError(errno, "new mount and pid namespaces (varve run needs root)");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) return ErrnoError(errno, "make / a slave mount");
  return Ok();
}

}  // namespace

Status EnterNamespacesOf(pid_t process) {
  if (::unshare(CLONE_FS) != 0) return ErrnoError(errno, "unshare");
  for (const auto& [name, type] : {std::pair("pid", CLONE_NEWPID), std::pair("mnt", CLONE_NEWNS)}) {
    const std::string path = fmt::format("/proc/{}/ns/{}", process, name);
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid() || ::setns(fd.get(), type) != 0) return ErrnoError(errno, path);
  }
  return Ok();
}

Result<int> InPrivateNamespaces(Namespaces which, const std::function<Result<int>()>& work) {
  Result<int> outcome = 0;
  std::thread thread([&] {
    const Status entered = Enter(which);
    outcome = entered.ok() ? work() : entered.error();
  });
  thread.join();
  return outcome;
}

}  // namespace varve
