#include "cli/runtime/signals.h"

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "cached/base/check.h"

extern "C" {  // glibc 2.36 forgot it
#include <sys/pidfd.h>
}

namespace varve {
namespace {

constexpr int kNobody = -1;
std::atomic<int> forward_to = kNobody;
std::atomic<std::uint64_t> came = 0;  // bit n-1: signal n is still to be sent on
std::atomic<bool> leaves_out_terminal = false;
static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "used in a signal handler");

// Each signal that came is sent once, whoever is first: the handler, on any thread, or To.
void SendOn() {
  const int process = forward_to.load();
  if (process == kNobody) return;
  const std::uint64_t signals = came.exchange(0);
  for (int signal = 1; signal <= 64; ++signal) {
    if ((signals >> (signal - 1) & 1) != 0) ::pidfd_send_signal(process, signal, nullptr, 0);
  }
}

void Forward(int signal, siginfo_t* info, void* /*context*/) {
  if (info->si_code == SI_KERNEL && leaves_out_terminal.load()) return;
  const int saved_errno = errno;
  came.fetch_or(std::uint64_t{1} << (signal - 1));
  SendOn();
  errno = saved_errno;
}

}  // namespace

SignalForwarding::SignalForwarding(TerminalSignals terminal_signals) {
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
  came.store(0);
}

void SignalForwarding::To(const UniqueFd& process) {
  VARVE_CHECK(process.valid() && forward_to.exchange(process.get()) == kNobody);
  SendOn();
}

}  // namespace varve
