#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/runtime/signals.h"

extern "C" {  // glibc 2.36 forgot it
#include <sys/pidfd.h>
}

namespace varve {
namespace {

// A process that waits for the signal that ends it.
class RuntimeSignalsTest : public testing::Test {
 protected:
  RuntimeSignalsTest() : pid_(::fork()) {
    if (pid_ == 0) {
      for (;;) ::pause();
    }
    process_.Reset(::pidfd_open(pid_, 0));
  }
  ~RuntimeSignalsTest() override {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  int EndingSignal() const {
    siginfo_t info{};
    EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT), 0);
    return info.si_status;
  }

  pid_t pid_;
  UniqueFd process_;
};

TEST_F(RuntimeSignalsTest, AreSentOn) {
  SignalForwarding forwarding(TerminalSignals::kForwarded);
  forwarding.To(process_);
  ::raise(SIGTERM);
  EXPECT_EQ(EndingSignal(), SIGTERM);
}

TEST_F(RuntimeSignalsTest, ThatComeBeforeTheProcessIsThereAreSentOnThen) {
  SignalForwarding forwarding(TerminalSignals::kForwarded);
  ::raise(SIGUSR1);
  forwarding.To(process_);
  EXPECT_EQ(EndingSignal(), SIGUSR1);
}

TEST_F(RuntimeSignalsTest, OfAForwardingThatHasEndedAreForgotten) {
  {
    SignalForwarding nobodys(TerminalSignals::kForwarded);
    ::raise(SIGUSR1);
  }
  SignalForwarding forwarding(TerminalSignals::kForwarded);
  forwarding.To(process_);
  ::raise(SIGUSR2);
  EXPECT_EQ(EndingSignal(), SIGUSR2);
}

}  // namespace
}  // namespace varve
