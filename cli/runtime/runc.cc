#include "cli/runtime/runc.h"

#include <fcntl.h>
#include <fmt/core.h>
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
#include "cli/runtime/programs.h"
#include "cli/runtime/remove_tree.h"
#include "cli/runtime/signals.h"

extern "C" {  // glibc 2.36 forgot it
#include <sys/pidfd.h>
}

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
  int go;      // read from before anything is done
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
  // The parent looks at us first, in its own /proc, which the next mount covers. If it is gone, the pipe is at its end.
  char go = 0;
  if (::read(command.go, &go, 1) != 1) ::_exit(kExitVarveFailed);

  if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    Report(command.report, "mount /proc");
  if (::dup2(command.standard_input, STDIN_FILENO) < 0) Report(command.report, "standard input");
  ::execve(arguments[0], arguments, environment);
  Report(command.report, "execute runc");
}

Result<pid_t> Start(Command& command, const UniqueFd& failure_reader, const UniqueFd& go_writer) {
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
    ::close(go_writer.get());
    BecomeRunc(arguments.data(), environment.data(), command);
  }
  return pid;
}

Result<int> AwaitRunc(pid_t pid) {
  siginfo_t info{};
  {
    const UniqueFd process(::pidfd_open(pid, 0));
    if (!process.valid()) return ErrnoError(errno, "runc");
    SignalForwarding forwarding(TerminalSignals::kLeftOut);
    forwarding.To(process);
    while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) != 0) {
      if (errno != EINTR) return ErrnoError(errno, "wait for runc");
    }
  }
  if (::waitpid(pid, nullptr, 0) != pid) return ErrnoError(errno, "wait for runc");
  return info.si_code == CLD_EXITED ? info.si_status : kExitSignalBase + info.si_status;
}

// From the line that says why runc could not start a container; empty if there is none.
std::string_view FailureIn(std::string_view log) {
  for (const std::string_view line : {"level=error msg=\"runc run failed: ", "level=error msg=\"runc create failed: ",
                                      "level=error msg=\"exec failed: "}) {
    const std::size_t at = log.find(line);
    if (at != std::string_view::npos) return log.substr(at);
  }
  return {};
}

}  // namespace

Result<std::string> FindRunc() { return FindProgram("runc", "runc"); }

Result<int> RunBundle(const std::string& runc, const Bundle& bundle, const std::function<Status(pid_t)>& started) {
  const std::string& directory = bundle.directory;
  VARVE_RETURN_IF_ERROR(RemoveTree(directory + "/runc.log"));
  VARVE_ASSIGN_OR_RETURN(Pipe failures, Pipe::Open());
  VARVE_ASSIGN_OR_RETURN(Pipe go, Pipe::Open());
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!nothing.valid()) return ErrnoError(errno, "/dev/null");

  const std::string log = directory + "/runc.log";
  Command command{
      .arguments = {runc, "--root", directory + "/runc", "--log", log, "run", "--bundle", directory, bundle.id},
      .standard_input = bundle.standard_input == Stdin::kEmpty ? nothing.get() : STDIN_FILENO,
      .report = failures.writer.get(),
      .go = go.reader.get()};
  VARVE_ASSIGN_OR_RETURN(const pid_t pid, Start(command, failures.reader, go.writer));
  failures.writer.Reset();
  const Status known = started(pid);
  if (!known.ok() || ::write(go.writer.get(), "", 1) != 1) {
    go.writer.Reset();  // and it ends
    AwaitRunc(pid).IgnoreError("the first error says why");
    return known.ok() ? Error(Code::kInternal, "runc does not start") : known.error();
  }
  VARVE_ASSIGN_OR_RETURN(const int exit_code, AwaitRunc(pid));
  ChildFailure failure{};
  if (::read(failures.reader.get(), &failure, sizeof(failure)) == sizeof(failure))
    return ErrnoError(failure.error_number, failure.step);
  if (exit_code == 0) return 0;

  const Result<Bytes> text = ReadWholeFile(Fs::Real(), log, kLogBytesMax);
  return text.ok() ? StartFailure(AsText(*text)).value_or(exit_code) : exit_code;
}

std::optional<int> StartFailure(std::string_view log) {
  const std::string_view message = FailureIn(log);
  if (message.empty()) return std::nullopt;
  if (message.find("exec: \\\"") == std::string_view::npos) return kExitVarveFailed;
  const std::string_view why = message.substr(message.rfind("\\\": "));  // behind the command, which may say anything
  const auto says = [&](std::string_view text) { return why.find(text) != std::string_view::npos; };
  if (says("executable file not found") || says("no such file or directory")) return kExitCommandNotFound;
  if (says("permission denied") || says("is a directory")) return kExitCannotExecute;
  return kExitVarveFailed;
}

Error StartError(const std::string& said) {
  const int exit_code = StartFailure(said).value_or(kExitVarveFailed);
  const Code code = exit_code == kExitCommandNotFound ? Code::kNotFound
                    : exit_code == kExitCannotExecute ? Code::kPermissionDenied
                                                      : Code::kFailedPrecondition;
  constexpr std::string_view kPlain = "level=error msg=\"", kWrapped = "failed: ";
  std::string_view message = FailureIn(said);
  if (message.empty() && said.find(kPlain) == std::string::npos) return Error(code, said);
  if (message.empty()) {
    message = std::string_view(said).substr(said.find(kPlain) + kPlain.size());
  } else {
    message.remove_prefix(message.find(kWrapped) + kWrapped.size());
  }
  std::string text;
  for (std::size_t i = 0; i < message.size() && message[i] != '"'; ++i) {
    if (message[i] == '\\' && i + 1 < message.size()) ++i;
    text += message[i];
  }
  return Error(code, text);
}

int StartExitCode(const Error& error) {
  if (error.code() == Code::kNotFound) return kExitCommandNotFound;
  return error.code() == Code::kPermissionDenied ? kExitCannotExecute : kExitVarveFailed;
}

}  // namespace varve
