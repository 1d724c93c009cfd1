#include "cli/runtime/runc.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <vector>

#include "cached/base/bytes.h"
#include "cached/base/fd.h"
#include "cached/base/fs.h"
#include "cli/runtime/signals.h"

namespace varve {
namespace {

constexpr std::uint64_t kLogBytesMax = 1 << 20;

// What a child that could not become runc tells its parent.
struct ChildFailure {
  int error_number;
  char step[32];
};

struct Command {
  std::vector<std::string> arguments;
  int standard_input;
  int report;  // written to on failure, closed by a successful exec
};

[[noreturn]] void Report(int fd, const char* step) {
  ChildFailure failure{.error_number = errno, .step = {}};
  for (std::size_t i = 0; step[i] != 0 && i + 1 < sizeof(failure.step); ++i) failure.step[i] = step[i];
  static_cast<void>(!::write(fd, &failure, sizeof(failure)));
  ::_exit(kExitVarveFailed);
}

// In the forked child of a process with threads: async-signal-safe calls only.
[[noreturn]] void BecomeRunc(char* const* arguments, char* const* environment, const Command& command) {
  for (int signal = 1; signal <= SIGRTMAX; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);

  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) Report(command.report, "parent death signal");
  pollfd reader{.fd = command.report, .events = 0, .revents = 0};
  if (::poll(&reader, 1, 0) == 1) ::_exit(kExitVarveFailed);  // the parent died before the line above

  if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    Report(command.report, "mount /proc");
  if (::dup2(command.standard_input, STDIN_FILENO) < 0) Report(command.report, "standard input");
  ::execve(arguments[0], arguments, environment);
  Report(command.report, "execute runc");
}

Result<pid_t> Start(Command& command, const UniqueFd& failure_reader) {
  std::vector<char*> arguments;
  arguments.reserve(command.arguments.size() + 1);
  for (std::string& argument : command.arguments) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  // runc acts on NOTIFY_SOCKET, LISTEN_FDS and GODEBUG: it gets none of the caller's environment but PATH.
  const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  std::string path_variable = fmt::format("PATH={}", path == nullptr ? "" : path);
  const std::array<char*, 2> environment = {path_variable.data(), nullptr};
  const pid_t pid = ::fork();
  if (pid < 0) return ErrnoError(errno, "fork");
  if (pid == 0) {
    ::close(failure_reader.get());
    BecomeRunc(arguments.data(), environment.data(), command);
  }
  return pid;
}

Result<int> AwaitExit(pid_t pid) {
  siginfo_t info{};
  {
    const SignalForwarding forwarding(pid);
    while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) != 0) {
      if (errno != EINTR) return ErrnoError(errno, "wait for runc");
    }
  }
  if (::waitpid(pid, nullptr, 0) != pid) return ErrnoError(errno, "wait for runc");
  return info.si_code == CLD_EXITED ? info.si_status : kExitSignalBase + info.si_status;
}

}  // namespace

Result<std::string> FindRunc() {
  const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const std::string_view directory = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(directory.size() + 1, rest.size()));
    std::string candidate = fmt::format("{}/runc", directory);
    if (directory.starts_with('/') && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return Error(Code::kNotFound, "runc is not on PATH: install it (Debian: apt-get install runc)");
}

Result<int> RunBundle(const std::string& runc, const std::string& directory, const std::string& id,
                      Stdin standard_input) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return ErrnoError(errno, "pipe");
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!nothing.valid()) return ErrnoError(errno, "/dev/null");

  const std::string log = directory + "/runc.log";
  Command command{.arguments = {runc, "--root", directory + "/runc", "--log", log, "run", "--bundle", directory, id},
                  .standard_input = standard_input == Stdin::kPassed ? STDIN_FILENO : nothing.get(),
                  .report = writer.get()};
  VARVE_ASSIGN_OR_RETURN(const pid_t pid, Start(command, reader));
  writer.Reset();
  VARVE_ASSIGN_OR_RETURN(const int exit_code, AwaitExit(pid));
  ChildFailure failure{};
  if (::read(reader.get(), &failure, sizeof(failure)) == sizeof(failure))
    return ErrnoError(failure.error_number, failure.step);
  if (exit_code == 0) return 0;

  const Result<Bytes> text = ReadWholeFile(Fs::Real(), log, kLogBytesMax);
  return text.ok() ? StartFailure(AsText(*text)).value_or(exit_code) : exit_code;
}

std::optional<int> StartFailure(std::string_view log) {
  const std::size_t failure = log.find("level=error msg=\"runc run failed: ");
  if (failure == std::string_view::npos) return std::nullopt;
  const std::string_view message = log.substr(failure);
  if (message.find("exec: \\\"") == std::string_view::npos) return kExitVarveFailed;
  const std::string_view why = message.substr(message.rfind("\\\": "));  // behind the command, which may say anything
  const auto says = [&](std::string_view text) { return why.find(text) != std::string_view::npos; };
  if (says("executable file not found") || says("no such file or directory")) return kExitCommandNotFound;
  if (says("permission denied") || says("is a directory")) return kExitCannotExecute;
  return kExitVarveFailed;
}

}  // namespace varve
