#include "cli/runtime/signals.h"

#include <atomic>
#include <cerrno>

#include "cached/base/check.h"

namespace varve {
namespace {

std::atomic<pid_t> forward_to = 0;
static_assert(std::atomic<pid_t>::is_always_lock_free, "read in a signal handler");

void Forward(int signal, siginfo_t* info, void* /*context*/) {
  const int saved_errno = errno;
  if (info->si_code != SI_KERNEL) ::kill(forward_to.load(), signal);
  errno = saved_errno;
}

}  // namespace

SignalForwarding::SignalForwarding(pid_t pid) {
  VARVE_CHECK(pid > 0 && forward_to.exchange(pid) == 0);
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
  forward_to.store(0);
}

}  // namespace varve
