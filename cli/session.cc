#include "cli/session.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <initializer_list>
#include <thread>

#include "cached/base/fs.h"
#include "cached/client/driver_protocol.h"
#include "cli/mounts.h"
#include "cli/runtime/room.h"

namespace varve {
namespace {

constexpr std::chrono::seconds kStartTimeout{30};
constexpr std::chrono::seconds kStopTimeout{30};
constexpr std::chrono::seconds kReapTimeout{5};
constexpr std::chrono::milliseconds kPollInterval{5};

// varve-cached and varve-fuse stand beside varve, or on PATH.
std::string ProgramOf(const std::string& process) {
  std::string name = "varve-" + process;
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error && std::filesystem::exists(self.parent_path() / name, error)) return (self.parent_path() / name).string();
  return name;
}

std::string LastLine(const std::string& path) {
  const auto bytes = ReadWholeFile(Fs::Real(), path, 64 << 20);
  if (!bytes.ok()) return "";
  std::string_view text = AsText(*bytes);
  while (text.ends_with('\n')) text.remove_suffix(1);
  const std::size_t line = text.rfind('\n');
  return std::string(line == std::string_view::npos ? text : text.substr(line + 1));
}

// A process that has ended can still be seen (kill -0) until init has reaped it, and some inits look only every few
// seconds: both are waited for at once.
void AwaitReaped(std::initializer_list<pid_t> pids) {
  const auto deadline = std::chrono::steady_clock::now() + kReapTimeout;
  const auto is_seen = [](pid_t pid) { return pid > 0 && ::kill(pid, 0) == 0; };
  while (std::ranges::any_of(pids, is_seen) && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(kPollInterval);
}

}  // namespace

bool Session::Lives(const std::string& process) const {
  const UniqueFd lock(::open(paths_.lock(process).c_str(), O_RDWR | O_CLOEXEC));
  return lock.valid() && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0;
}

bool Session::Answers(const std::string& process) const {
  if (process == "fuse") return PingDriver(paths_.socket("fuse")).ok();
  return DaemonClient(paths_.socket("cached")).SystemStatus().ok();
}

// A grandchild in its own session, so that it outlives the command and is nobody's child here.
Status Session::Spawn(const std::string& process) const {
  const std::string program = ProgramOf(process);
  const std::string log = paths_.log(process);
  const pid_t child = ::fork();
  if (child < 0) return ErrnoError(errno, "fork");
  if (child == 0) {
    ::setsid();
    if (::fork() != 0) ::_exit(0);
    const int null = ::open("/dev/null", O_RDWR);
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (null < 0 || out < 0 || ::chdir("/") != 0) ::_exit(127);
    ::dup2(null, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::close_range(3, ~0U, 0);
    ::execlp(program.c_str(), program.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return Ok();
}

// A container got its root from the varve-fuse that died: nothing can be put in its place.
void Session::WarnOfOrphans() const {
  const auto containers = ContainerRoom(paths_.containers()).List();
  if (!containers.ok()) return;
  for (const Container& container : *containers) {
    if (!container.state.live()) continue;
    fmt::print(
        stderr,
        "Warning: container {} ({}): varve-fuse died under it, and what it has not read yet cannot be read any more; "
        "restart it (varve restart {})\n",
        container.record.id.substr(0, 12), container.record.name, container.record.name);
  }
}

Status Session::Start(const std::string& process) {
  VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(paths_.run()));
  if (::chmod(paths_.root.c_str(), 0700) != 0) return ErrnoError(errno, paths_.root);
  const UniqueFd lock(::open(paths_.start_lock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid() || ::flock(lock.get(), LOCK_EX) != 0) return ErrnoError(errno, paths_.start_lock());
  if (Answers(process)) return Ok();
  if (!Lives(process)) {
    if (process == "fuse") WarnOfOrphans();
    VARVE_RETURN_IF_ERROR(Spawn(process));
  }
  const auto started = std::chrono::steady_clock::now();
  while (!Answers(process)) {
    const auto waited = std::chrono::steady_clock::now() - started;
    // Right after the fork nobody holds the lock yet.
    const bool died = waited > std::chrono::seconds(2) && !Lives(process);
    if (died || waited > kStartTimeout) {
      const std::string said = LastLine(paths_.log(process));
      return Error(Code::kUnavailable, "varve-" + process + " does not start" + (said.empty() ? "" : ": " + said));
    }
    std::this_thread::sleep_for(kPollInterval);
  }
  return Ok();
}

Result<DaemonClient> Session::Daemon() {
  DaemonClient client(paths_.socket("cached"));
  auto status = client.SystemStatus();
  if (!status.ok() && status.error().code() == Code::kUnavailable) {
    if (::geteuid() != 0) {
      return Error(Code::kPermissionDenied,
                   "varve must run as root; members of [listen] group may use a daemon that root has started");
    }
    VARVE_RETURN_IF_ERROR(Start("cached"));
    client = DaemonClient(paths_.socket("cached"));
    status = client.SystemStatus();
  }
  if (!status.ok()) return status.error();
  if (status->version() != VARVE_VERSION) {
    return Error(Code::kFailedPrecondition, "varve-cached " + status->version() +
                                                " runs, this is varve " VARVE_VERSION "; run: varve system stop");
  }
  VARVE_RETURN_IF_ERROR(ReviveMounts(paths_, [this](const ChainId& chain_id) { return ImageRoot(chain_id); }));
  return client;
}

Result<UniqueFd> Session::ImageRoot(const ChainId& chain_id) {
  auto root = RequestMount(paths_.socket("fuse"), chain_id);
  if (root.ok() || root.error().code() != Code::kUnavailable) return root;
  VARVE_RETURN_IF_ERROR(Start("fuse"));
  return RequestMount(paths_.socket("fuse"), chain_id);
}

Result<UniqueFd> Session::ImageRoot(DaemonClient& daemon, const v1::ImageDetail& image) {
  VARVE_ASSIGN_OR_RETURN(const Digest chain_id, Digest::FromHexText(image.chain_id()));
  auto root = ImageRoot(ChainId{chain_id});  // which varve-fuse does not give up while it is open
  daemon.EndLease(image).IgnoreError("it ends by itself");
  return root;
}

Status Session::AwaitEnd(const std::string& process) const {
  const auto deadline = std::chrono::steady_clock::now() + kStopTimeout;
  while (Lives(process)) {
    if (std::chrono::steady_clock::now() > deadline)
      return Error(Code::kDeadlineExceeded, "varve-" + process + " does not end");
    std::this_thread::sleep_for(kPollInterval);
  }
  ::unlink(paths_.pid(process).c_str());  // one that was killed has left it
  return Ok();
}

// 0 if it is not known.
pid_t Session::PidOf(const std::string& process) const {
  const auto file = ReadWholeFile(Fs::Real(), paths_.pid(process), 32);
  pid_t pid = 0;
  if (file.ok() && Lives(process)) {
    const std::string_view text = AsText(*file);
    std::from_chars(text.data(), text.data() + text.size(), pid);
  }
  return pid;
}

Status Session::StopDriver() {
  const auto reply = PingDriver(paths_.socket("fuse"));
  if (reply.ok() && ::kill(reply->pid, SIGTERM) != 0 && errno != ESRCH) return ErrnoError(errno, "stop varve-fuse");
  return AwaitEnd("fuse");
}

Status Session::Stop() {
  const pid_t driver = PidOf("fuse");
  const pid_t daemon = PidOf("cached");
  VARVE_RETURN_IF_ERROR(StopDriver());
  if (Lives("cached")) {
    Status stopped = DaemonClient(paths_.socket("cached")).StopDaemon();
    if (!stopped.ok() && stopped.error().code() != Code::kUnavailable) return stopped;
  }
  VARVE_RETURN_IF_ERROR(AwaitEnd("cached"));
  AwaitReaped({driver, daemon});
  return Ok();
}

Result<int> Session::RunCached(const std::vector<std::string>& arguments) const {
  const std::string program = ProgramOf("cached");
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return ErrnoError(errno, "fork");
  if (child == 0) {
    ::execvp(program.c_str(), argv.data());
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

}  // namespace varve
