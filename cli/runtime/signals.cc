#include "cli/runtime/signals.h"

#include <atomic>
#include <cerrno>

#include "cached/base/check.h"

extern "C" {  // glibc 2.36 forgot it
#include <sys/pidfd.h>
}

namespace varve {
namespace {

constexpr int kNobody = -1;
std::atomic<int> forward_to = kNobody;
std::atomic<bool> leaves_out_terminal = false;
static_assert(std::atomic<int>::is_always_lock_free, "read in a signal handler");

void Forward(int signal, siginfo_t* info, void* /*context*/) {
  const int saved_errno = errno;
  const bool left_out = info->si_code == SI_KERNEL && leaves_out_terminal.load();
  if (!left_out) ::pidfd_send_signal(forward_to.load(), signal, nullptr, 0);
  errno = saved_errno;
}

}  // namespace

SignalForwarding::SignalForwarding(const UniqueFd& process, TerminalSignals terminal_signals) {
  VARVE_CHECK(process.valid() && forward_to.exchange(process.get()) == kNobody);
  leaves_out_terminal.store(terminal_signals == TerminalSignals::kLeftOut);
  std::vector<int> signals = {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM};
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) signals.push_back(signal);
  struct sigaction action{};
  action.sa_sigaction = Forward;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  for (const int signal : signals) {
    struct sigaction before{};
    ::sigaction(signal, nullptr, &before);
    if ((before.sa_flags & SA_SIGINFO) == 0 && before.sa_handler == SIG_IGN) continue;
    ::sigaction(signal, &action, nullptr);
    before_.emplace_back(signal, before);
  }
}

SignalForwarding::~SignalForwarding() {
  for (const auto& [signal, before] : before_) ::sigaction(signal, &before, nullptr);
  forward_to.store(kNobody);
}

}  // namespace varve
