#include "cli/runtime/state.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <thread>

#include "cached/base/bytes.h"
#include "cached/base/check.h"
#include "cached/base/fs.h"
#include "cached/base/log.h"
#include "cli/runtime/cgroups.h"
#include "cli/runtime/remove_tree.h"

extern "C" {  // glibc 2.36 forgot it
#include <sys/pidfd.h>
}

namespace varve {
namespace {

constexpr std::size_t kIdDigits = 64;
constexpr std::size_t kNameBytesMax = 255;
constexpr std::uint64_t kNameFileBytesMax = 1024;
constexpr std::chrono::seconds kKillLimit{10};
constexpr std::chrono::milliseconds kKillPoll{5};

bool IsId(std::string_view name) {
  return name.size() == kIdDigits && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string DirectoryOf(const std::string& state_root, const std::string& id) {
  return fmt::format("{}/{}", state_root, id);
}

// docker's rule, so that a name is never mistaken for an option or a path.
Status CheckName(std::string_view name) {
  const auto plain = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto inner = [&](char c) { return plain(c) || c == '_' || c == '.' || c == '-'; };
  if (name.size() >= 2 && name.size() <= kNameBytesMax && plain(name[0]) && std::ranges::all_of(name, inner))
    return Ok();
  return Error(Code::kInvalidArgument,
               fmt::format("invalid container name ({}): only [a-zA-Z0-9][a-zA-Z0-9_.-]+ is allowed", name));
}

// Creates and locks `path`. kUnavailable if `operation` has LOCK_NB and somebody else has it.
Result<UniqueFd> LockFile(const std::string& path, int operation) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return ErrnoError(errno, path);
  while (::flock(fd.get(), operation) != 0) {
    if (errno != EINTR) return ErrnoError(errno, path);
  }
  return fd;
}

Result<std::vector<std::string>> Ids(const std::string& state_root) {
  VARVE_ASSIGN_OR_RETURN(std::vector<std::string> names, Fs::Real().List(state_root));
  std::erase_if(names, [](const std::string& name) { return !IsId(name); });
  return names;
}

bool Exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// Needs <state root>/lock: for a moment it holds the locks of dead containers.
Result<std::vector<RunningContainer>> ListLocked(const std::string& state_root) {
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> ids, Ids(state_root));
  std::vector<RunningContainer> running;
  for (const std::string& id : ids) {
    const std::string directory = DirectoryOf(state_root, id);
    const Result<UniqueFd> lock = LockFile(directory + "/lock", LOCK_EX | LOCK_NB);
    if (lock.ok() || lock.error().code() != Code::kUnavailable) continue;
    const Result<Bytes> bytes = ReadWholeFile(Fs::Real(), directory + "/name", kNameFileBytesMax);
    if (!bytes.ok()) continue;  // it has just ended
    const std::string_view text = AsText(*bytes);
    RunningContainer container{.id = id, .name = {}, .pid = 0};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), container.pid);
    if (error != std::errc() || container.pid <= 0 || end == text.data() + text.size()) continue;
    container.name.assign(end + 1, text.data() + text.size());
    running.push_back(std::move(container));
  }
  return running;
}

// The name goes first, so that the container is no longer listed; the lock last, so that nobody else starts removing.
Status RemoveContainer(const std::string& state_root, const std::string& id) {
  const std::string directory = DirectoryOf(state_root, id);
  VARVE_RETURN_IF_ERROR(RemoveTree(directory + "/name"));
  VARVE_RETURN_IF_ERROR(RemoveCgroups(id));
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, Fs::Real().List(directory));
  for (const std::string& name : names) {
    if (name != "lock") VARVE_RETURN_IF_ERROR(RemoveTree(fmt::format("{}/{}", directory, name)));
  }
  return RemoveTree(directory);
}

// Until all that `pidfds` stand for have ended, or for `limit`.
Status AwaitEnd(const std::vector<UniqueFd>& pidfds, std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  for (const UniqueFd& pidfd : pidfds) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd poll{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
    while (::poll(&poll, 1, static_cast<int>(std::max<std::chrono::milliseconds::rep>(left.count(), 0))) < 0) {
      if (errno != EINTR) return ErrnoError(errno, "poll");
    }
  }
  return Ok();
}

void Signal(const std::vector<UniqueFd>& pidfds, int signal) {
  for (const UniqueFd& pidfd : pidfds) ::pidfd_send_signal(pidfd.get(), signal, nullptr, 0);
}

}  // namespace

std::string NewContainerId() {
  std::array<std::byte, kIdDigits / 2> random;
  VARVE_CHECK(::getrandom(random.data(), random.size(), 0) == static_cast<ssize_t>(random.size()));
  return ToHex(random);
}

ContainerState::ContainerState(std::string state_root, std::string id, UniqueFd lock)
    : state_root_(std::move(state_root)), id_(std::move(id)), lock_(std::move(lock)) {}

ContainerState::~ContainerState() {
  if (lock_.valid()) RemoveContainer(state_root_, id_).IgnoreError("the next command sweeps");
}

Result<ContainerState> ContainerState::Create(const std::string& state_root, const std::string& id,
                                              const std::string& name) {
  if (!name.empty()) VARVE_RETURN_IF_ERROR(CheckName(name));
  VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(state_root));
  VARVE_ASSIGN_OR_RETURN(const UniqueFd creating, LockFile(state_root + "/lock", LOCK_EX));
  VARVE_ASSIGN_OR_RETURN(const std::vector<RunningContainer> running, ListLocked(state_root));
  const std::string shown = name.empty() ? id.substr(0, 12) : name;
  for (const RunningContainer& other : running) {
    if (other.name == shown) {
      return Error(Code::kAlreadyExists,
                   fmt::format("the container name \"{}\" is already in use by {}", shown, other.id.substr(0, 12)));
    }
  }
  const std::string directory = DirectoryOf(state_root, id);
  if (::mkdir(directory.c_str(), 0700) != 0) return ErrnoError(errno, directory);
  VARVE_ASSIGN_OR_RETURN(UniqueFd lock, LockFile(directory + "/lock", LOCK_EX | LOCK_NB));
  ContainerState state(state_root, id, std::move(lock));
  VARVE_ASSIGN_OR_RETURN(const auto name_file, Fs::Real().Open(directory + "/name", OpenMode::kCreateNew));
  VARVE_RETURN_IF_ERROR(name_file->WriteAt(0, AsBytes(fmt::format("{} {}", ::getpid(), shown))));
  return state;
}

Result<std::vector<RunningContainer>> ListRunning(const std::string& state_root) {
  if (!Exists(state_root)) return std::vector<RunningContainer>();
  VARVE_ASSIGN_OR_RETURN(const UniqueFd listing, LockFile(state_root + "/lock", LOCK_EX));
  return ListLocked(state_root);
}

Status SweepDead(const std::string& state_root) {
  if (!Exists(state_root)) return Ok();
  std::vector<std::pair<std::string, UniqueFd>> dead;
  {
    VARVE_ASSIGN_OR_RETURN(const UniqueFd listing, LockFile(state_root + "/lock", LOCK_EX));
    VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> ids, Ids(state_root));
    for (const std::string& id : ids) {
      Result<UniqueFd> lock = LockFile(DirectoryOf(state_root, id) + "/lock", LOCK_EX | LOCK_NB);
      if (!lock.ok()) continue;
      RemoveTree(DirectoryOf(state_root, id) + "/name").IgnoreError("what follows fails too, and says so");
      dead.emplace_back(id, std::move(*lock));
    }
  }
  for (const auto& [id, lock] : dead) {
    const Status removed = RemoveContainer(state_root, id);
    if (removed.ok() || removed.error().code() == Code::kFailedPrecondition) continue;
    LogWarning("container {} is not swept: {}", id.substr(0, 12), removed.error().message());
  }
  return Ok();
}

Status StopRunning(const std::string& state_root, std::chrono::milliseconds grace) {
  VARVE_ASSIGN_OR_RETURN(const std::vector<RunningContainer> running, ListRunning(state_root));
  std::vector<UniqueFd> pidfds;
  for (const RunningContainer& container : running) {
    UniqueFd pidfd(::pidfd_open(container.pid, 0));
    if (pidfd.valid()) pidfds.push_back(std::move(pidfd));
  }
  Signal(pidfds, SIGTERM);
  VARVE_RETURN_IF_ERROR(AwaitEnd(pidfds, grace));
  Signal(pidfds, SIGKILL);

  // The kernel kills the container after its run, and tells nobody when it has: sweeping succeeds from then on.
  const auto until = std::chrono::steady_clock::now() + kKillLimit;
  for (;;) {
    VARVE_RETURN_IF_ERROR(SweepDead(state_root));
    const auto left = std::ranges::find_if(
        running, [&](const auto& container) { return Exists(DirectoryOf(state_root, container.id)); });
    if (left == running.end()) return Ok();
    if (std::chrono::steady_clock::now() > until) {
      return Error(Code::kDeadlineExceeded, fmt::format("container {} ({}) does not end", left->name, left->id));
    }
    std::this_thread::sleep_for(kKillPoll);
  }
}

}  // namespace varve
