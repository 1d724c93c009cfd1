#include "cli/runtime/cgroups.h"

#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "cached/base/fd.h"
#include "cached/base/fs.h"

extern "C" {  // glibc 2.36 forgot it
#include <sys/pidfd.h>
}

namespace varve {
namespace {

// With the cgroups that a privileged container has made below its own.
Status RemoveCgroup(const std::string& path) {
  if (::rmdir(path.c_str()) != 0 && errno == EBUSY) {
    VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, Fs::Real().List(path));
    for (const std::string& name : names) VARVE_RETURN_IF_ERROR(RemoveCgroup(fmt::format("{}/{}", path, name)));
  }
  if (::rmdir(path.c_str()) == 0 || errno == ENOENT || errno == ENOTDIR) return Ok();
  return ErrnoError(errno, path);
}

}  // namespace

// In cgroups v2 the file is in every cgroup but the root's: ours says whether it is there.
bool SwapIsAccounted() {
  const std::string root = kCgroupRoot;
  if (::access((root + "/memory/memory.memsw.limit_in_bytes").c_str(), F_OK) == 0) return true;
  std::ifstream cgroups("/proc/self/cgroup");
  for (std::string line; std::getline(cgroups, line);) {
    if (line.starts_with("0::")) return ::access((root + line.substr(3) + "/memory.swap.max").c_str(), F_OK) == 0;
  }
  return false;
}

std::string CgroupPathOf(const std::string& id) { return "/varve/" + id; }

bool IsUnified(const std::string& root) { return ::access((root + "/cgroup.controllers").c_str(), F_OK) == 0; }

bool IsFrozen(const std::string& id, const std::string& root) {
  std::ifstream file(IsUnified(root) ? root + CgroupPathOf(id) + "/cgroup.freeze"
                                     : root + "/freezer" + CgroupPathOf(id) + "/freezer.state");
  std::string state;
  return file >> state && (state == "1" || state == "FROZEN" || state == "FREEZING");
}

std::vector<pid_t> ProcessesIn(const std::string& id, const std::string& root) {
  std::vector<pid_t> processes;
  const auto read = [&](const std::string& cgroup) {
    std::ifstream file(cgroup + "/cgroup.procs");
    for (pid_t pid = 0; file >> pid;) processes.push_back(pid);
  };
  const std::string top = (IsUnified(root) ? root : root + "/pids") + CgroupPathOf(id);
  read(top);
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator at(top, error), end; !error && at != end; at.increment(error)) {
    if (at->is_directory(error)) read(at->path());
  }
  return processes;
}

Status EndProcessesIn(const std::string& id, const std::string& root) {
  const auto until = std::chrono::steady_clock::now() + kEndLimit;
  for (std::vector<pid_t> pids = ProcessesIn(id, root); !pids.empty(); pids = ProcessesIn(id, root)) {
    const pid_t pid = pids.front();
    const UniqueFd process(::pidfd_open(pid, 0));
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    if (left <= 0) return Error(Code::kDeadlineExceeded, fmt::format("process {} does not end", pid));
    // It is the one in there, and no later one of its pid, if it is in there now that the descriptor stands for it.
    pids = ProcessesIn(id, root);
    if (!process.valid() || std::ranges::find(pids, pid) == pids.end()) continue;
    if (::pidfd_send_signal(process.get(), SIGKILL, nullptr, 0) != 0 && errno != ESRCH)
      return ErrnoError(errno, fmt::format("end process {}", pid));
    pollfd ended{.fd = process.get(), .events = POLLIN, .revents = 0};
    if (::poll(&ended, 1, static_cast<int>(left)) < 0 && errno != EINTR) return ErrnoError(errno, "poll");
  }
  return Ok();
}

Status RemoveCgroups(const std::string& id) {
  VARVE_RETURN_IF_ERROR(RemoveCgroup(kCgroupRoot + CgroupPathOf(id)));
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, Fs::Real().List(kCgroupRoot));
  for (const std::string& name : names)
    VARVE_RETURN_IF_ERROR(RemoveCgroup(fmt::format("{}/{}{}", kCgroupRoot, name, CgroupPathOf(id))));
  return Ok();
}

}  // namespace varve
