#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/runtime/process.h"
#include "cli/runtime/programs.h"

namespace varve {
namespace {

TEST(RuntimeProcessTest, AProcessIsItselfAndNoOther) {
  const ProcessId us = *IdentifyProcess(::getpid());
  EXPECT_TRUE(Lives(us));
  EXPECT_TRUE(OpenProcess(us).ok());
  EXPECT_FALSE(Lives({.pid = us.pid, .start_ticks = us.start_ticks + 1})) << "a later process with our pid";
  EXPECT_FALSE(Lives({}));
}

TEST(RuntimeProcessTest, AZombieDoesNotLive) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(IdentifyProcess(pid).error().code(), Code::kNotFound);
  ::waitpid(pid, nullptr, 0);
}

TEST(RuntimeProgramsTest, AProgramsOutputAndExitCodeAreReturned) {
  const Said said = *RunProgram({.arguments = {"/bin/sh", "-c", "echo out; echo err >&2; exit 3"}});
  EXPECT_EQ(said.exit_code, 3);
  EXPECT_EQ(said.text, "out\nerr\n");
  EXPECT_EQ(RunProgram({.arguments = {"/bin/sh", "-c", "kill -9 $$"}})->exit_code, 137);
  EXPECT_FALSE(RunProgram({.arguments = {"/no/such/program"}}).ok());
}

TEST(RuntimeProgramsTest, WhatIsSaidIsBounded) {
  EXPECT_EQ(RunProgram({.arguments = {"/bin/sh", "-c", "head -c 3000000 /dev/zero"}})->text.size(), kSaidBytesMax);
}

TEST(RuntimeProgramsTest, AProgramThatIsNotInstalledIsNamedWithItsPackage) {
  EXPECT_EQ(FindProgram("no-such", "some-package").error().message(),
            "no-such is not on PATH: install it (Debian: apt-get install some-package)");
}

}  // namespace
}  // namespace varve
