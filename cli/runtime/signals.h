#pragma once

#include <signal.h>
#include <sys/types.h>

#include <utility>
#include <vector>

namespace varve {

// While it lives, signals that this process gets are sent on to the child `pid`: HUP, INT, QUIT, USR1, USR2, ALRM, TERM
// and the real-time ones. Not those that we were started to ignore (nohup), and not what the terminal sends (Ctrl-C):
// the child is in the same process group and gets that by itself. At most one at a time in a process: handlers belong
// to it as a whole. End it before the child is reaped.
class SignalForwarding {
 public:
  explicit SignalForwarding(pid_t pid);
  ~SignalForwarding();
  SignalForwarding(const SignalForwarding&) = delete;
  SignalForwarding& operator=(const SignalForwarding&) = delete;

 private:
  std::vector<std::pair<int, struct sigaction>> before_;
};

}  // namespace varve
