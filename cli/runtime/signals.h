#pragma once

#include <signal.h>

#include <utility>
#include <vector>

#include "cached/base/fd.h"

namespace varve {

enum class TerminalSignals {
  kForwarded,
  kLeftOut,  // what the terminal sends (Ctrl-C): the process is in our process group and gets that by itself
};

// While it lives, signals that this process gets are for another: HUP, INT, QUIT, USR1, USR2, ALRM, TERM and the
// real-time ones, but not those that we were started to ignore (nohup). At most one at a time in a process: handlers
// belong to it as a whole.
class SignalForwarding {
 public:
  explicit SignalForwarding(TerminalSignals terminal_signals);
  ~SignalForwarding();
  // From here on they are sent on to `process`, a pidfd, which must outlive this, and those that came before as well.
  void To(const UniqueFd& process);
  SignalForwarding(const SignalForwarding&) = delete;
  SignalForwarding& operator=(const SignalForwarding&) = delete;

 private:
  std::vector<std::pair<int, struct sigaction>> before_;
};

}  // namespace varve
