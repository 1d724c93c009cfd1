#include "cli/runtime/terminal.h"

#include <fmt/core.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "cached/base/check.h"
#include "cached/base/fs.h"

extern "C" {  // glibc 2.36 forgot it
#include <sys/pidfd.h>
}

// A resize goes to the terminal itself. conmon's own way, lines written to the fifo `ctl` in the bundle, loses sizes:
// conmon 2.1.6 takes the first of two lines that it reads at once for both (ctrl.c, read_from_ctrl_buffer), and tells
// nobody when it has acted, so that a program could start before its terminal has a size.

namespace varve {
namespace {

constexpr std::array kEndingSignals = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGALRM, SIGUSR1, SIGUSR2};

termios input_before;  // of RawInput, read in a signal handler

void RestoreAndEnd(int signal) {
  ::tcsetattr(STDIN_FILENO, TCSANOW, &input_before);
  ::raise(signal);  // whose action is the default one again
}

std::atomic<int> following = -1;
static_assert(std::atomic<int>::is_always_lock_free, "read in a signal handler");

void Follow(int /*signal*/) {
  const int saved_errno = errno;
  if (const std::optional<winsize> size = OurTerminalSize()) ::ioctl(following.load(), TIOCSWINSZ, &*size);
  errno = saved_errno;
}

}  // namespace

Status CheckTerminal() {
  if (::isatty(STDIN_FILENO) != 0) return Ok();
  return Error(Code::kFailedPrecondition, "the input device is not a TTY");
}

Result<std::unique_ptr<RawInput>> RawInput::Begin() {
  if (::tcgetattr(STDIN_FILENO, &input_before) != 0) return ErrnoError(errno, "the terminal");
  std::unique_ptr<RawInput> raw(new RawInput);
  struct sigaction action{}, before{};
  action.sa_handler = RestoreAndEnd;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int signal : kEndingSignals) {
    ::sigaction(signal, nullptr, &before);
    if ((before.sa_flags & SA_SIGINFO) == 0 && before.sa_handler == SIG_DFL) ::sigaction(signal, &action, nullptr);
  }
  termios mode = input_before;
  ::cfmakeraw(&mode);
  if (::tcsetattr(STDIN_FILENO, TCSANOW, &mode) != 0) return ErrnoError(errno, "the terminal");
  return raw;
}

RawInput::~RawInput() {
  ::tcsetattr(STDIN_FILENO, TCSANOW, &input_before);
  struct sigaction now{};
  for (const int signal : kEndingSignals) {
    ::sigaction(signal, nullptr, &now);
    if ((now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == RestoreAndEnd) ::signal(signal, SIG_DFL);
  }
}

Result<UniqueFd> TerminalHeldBy(const ProcessId& conmon) {
  VARVE_ASSIGN_OR_RETURN(const UniqueFd process, OpenProcess(conmon));
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> descriptors,
                         Fs::Real().List(fmt::format("/proc/{}/fd", conmon.pid)));
  for (const std::string& descriptor : descriptors) {
    UniqueFd fd(::pidfd_getfd(process.get(), std::atoi(descriptor.c_str()), 0));
    unsigned number = 0;
    if (fd.valid() && ::ioctl(fd.get(), TIOCGPTN, &number) == 0) return fd;  // only that end of a terminal has one
  }
  return Error(Code::kInternal, fmt::format("conmon ({}) holds no terminal", conmon.pid));
}

std::optional<winsize> OurTerminalSize() {
  winsize size{};
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO}) {
    if (::ioctl(fd, TIOCGWINSZ, &size) == 0) return size;
  }
  return std::nullopt;
}

SizeFollowing::SizeFollowing(UniqueFd terminal, Redraw redraw) : terminal_(std::move(terminal)) {
  VARVE_CHECK(following.exchange(terminal_.get()) == -1);
  struct sigaction action{};
  action.sa_handler = Follow;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGWINCH, &action, &before_);
  std::optional<winsize> size = OurTerminalSize();
  if (size && redraw == Redraw::kAsked) {
    ++size->ws_row;  // only of a change is a program told
    ::ioctl(terminal_.get(), TIOCSWINSZ, &*size);
  }
  Follow(SIGWINCH);
}

SizeFollowing::~SizeFollowing() {
  ::sigaction(SIGWINCH, &before_, nullptr);
  following.store(-1);
}

}  // namespace varve
