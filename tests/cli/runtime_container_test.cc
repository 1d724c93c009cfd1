#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "cli/runtime/life.h"
#include "tests/cli/runtime_sandbox.h"

namespace varve {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class RuntimeContainerTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { sandbox_ = new Sandbox; }
  static void TearDownTestSuite() {
    delete sandbox_;
    sandbox_ = nullptr;
  }
  void TearDown() override { EXPECT_EQ(sandbox().ContainerDirectories(), 0u) << "a container left something behind"; }
  static const Sandbox& sandbox() { return *sandbox_; }

 private:
  static const Sandbox* sandbox_;
};
const Sandbox* RuntimeContainerTest::sandbox_ = nullptr;

TEST_F(RuntimeContainerTest, RunsTheImagesCommand) {
  const Ran ran = sandbox().Run({});
  EXPECT_EQ(ran.exit_code, 0) << ran.errors;
  EXPECT_EQ(ran.output, "from the image\n");
  EXPECT_EQ(ran.errors, "");
}

TEST_F(RuntimeContainerTest, PassesTheExitCodeOn) { EXPECT_EQ(sandbox().Shell("exit 7").exit_code, 7); }

TEST_F(RuntimeContainerTest, StandardErrorIsKeptApart) {
  const Ran ran = sandbox().Shell("echo out; echo err >&2");
  EXPECT_EQ(ran.output, "out\n");
  EXPECT_EQ(ran.errors, "err\n");
}

TEST_F(RuntimeContainerTest, ACommandThatIsNotThereExits127AndIsNamed) {
  RunOptions options;
  options.entrypoint = "/no/such/thing";
  const Ran ran = sandbox().Run(options);
  EXPECT_EQ(ran.exit_code, 127);
  EXPECT_THAT(ran.errors, HasSubstr("/no/such/thing"));
  options.entrypoint = "nosuch";
  EXPECT_EQ(sandbox().Run(options).exit_code, 127);
}

TEST_F(RuntimeContainerTest, WhatIsNotExecutableExits126) {
  RunOptions options;
  options.entrypoint = "/bin/notes";
  EXPECT_EQ(sandbox().Run(options).exit_code, 126);
  options.entrypoint = "/etc";
  EXPECT_EQ(sandbox().Run(options).exit_code, 126);
}

TEST_F(RuntimeContainerTest, AnUnknownUserIsOurErrorAndExits125) {
  RunOptions options;
  options.user = "nosuch";
  const Ran ran = sandbox().Run(options);
  EXPECT_EQ(ran.exit_code, 125);
  EXPECT_THAT(ran.errors, HasSubstr("unable to find user nosuch"));
}

TEST_F(RuntimeContainerTest, AVolumeOnAFileThatIsADirectoryExits125) {
  RunOptions options = ShellOptions("true");
  options.storage.volumes = {sandbox().path("outside") + ":/etc/passwd"};
  EXPECT_EQ(sandbox().Run(options).exit_code, 125);
}

TEST_F(RuntimeContainerTest, TheUserHasItsGroupsAndNoCapabilities) {
  RunOptions options = ShellOptions("id; echo $HOME; cat /proc/self/status");
  options.user = "app";
  const Ran ran = sandbox().Run(options);
  EXPECT_THAT(ran.output, HasSubstr("uid=1000(app) gid=1000(app) groups=1000(app),44(extra)\n/home/app\n"));
  EXPECT_THAT(ran.output, HasSubstr("CapEff:\t0000000000000000"));
}

TEST_F(RuntimeContainerTest, RootHasDockersCapabilities) {
  EXPECT_THAT(sandbox().Shell("cat /proc/self/status").output, HasSubstr("CapEff:\t00000000a80425fb"));
}

TEST_F(RuntimeContainerTest, HasVariablesHostnameAndWorkingDirectory) {
  RunOptions options = ShellOptions("echo $GREETING $A $HOSTNAME $(cat /etc/hostname) $(pwd)");
  options.env = {"A=b"};
  options.hostname = "box";
  options.workdir = "/made/here";
  EXPECT_EQ(sandbox().Run(options).output, "hello b box box /made/here\n");
}

TEST_F(RuntimeContainerTest, StandardInputIsPassedOnOnlyWhenAskedFor) {
  RunOptions options;
  options.args = {"cat"};
  const UniqueFd input(::memfd_create("stdin", MFD_CLOEXEC));
  ASSERT_EQ(::pwrite(input.get(), "through", 7, 0), 7);
  EXPECT_EQ(sandbox().Run(options, input.get()).output, "");
  options.standard_input = Stdin::kPassed;
  EXPECT_EQ(sandbox().Run(options, input.get()).output, "through");
}

TEST_F(RuntimeContainerTest, WritesAreThrownAwayAndTheImageStays) {
  const Ran ran = sandbox().Shell("echo x >/etc/new && cat /etc/new && echo y >/etc/passwd && ls -a / /etc");
  EXPECT_EQ(ran.exit_code, 0) << ran.errors;
  EXPECT_THAT(ran.output,
              testing::AllOf(HasSubstr("x\n"), HasSubstr(".dockerenv"), HasSubstr("mtab"), HasSubstr("resolv.conf")));
  EXPECT_FALSE(std::filesystem::exists(sandbox().image_root() + "/etc/new"));
  EXPECT_FALSE(std::filesystem::exists(sandbox().image_root() + "/etc/resolv.conf"));
  EXPECT_THAT(Contents(sandbox().image_root() + "/etc/passwd"), HasSubstr("root:x:0:0"));
}

TEST_F(RuntimeContainerTest, TheRootLooksLikeTheImages) {
  ASSERT_EQ(::chmod(sandbox().image_root().c_str(), 0711), 0);
  EXPECT_THAT(sandbox().Shell("ls -ld /").output, HasSubstr("drwx--x--x"));
  ASSERT_EQ(::chmod(sandbox().image_root().c_str(), 0755), 0);
}

TEST_F(RuntimeContainerTest, AVolumeIsReadAndWritten) {
  const std::string volume = sandbox().path("not/there/yet");
  RunOptions options = ShellOptions("echo written >/v/f && cat /v/f");
  options.storage.volumes = {volume + ":/v"};
  EXPECT_EQ(sandbox().Run(options).output, "written\n");
  EXPECT_EQ(Contents(volume + "/f"), "written\n");

  options = ShellOptions("cat /v/f; echo changed >/v/f");
  options.storage.volumes = {volume + ":/v:ro"};
  const Ran ran = sandbox().Run(options);
  EXPECT_EQ(ran.output, "written\n");
  EXPECT_NE(ran.exit_code, 0);
  EXPECT_EQ(Contents(volume + "/f"), "written\n");
}

TEST_F(RuntimeContainerTest, AReadOnlyRootTakesWritesOnATmpfsOnly) {
  RunOptions options = ShellOptions("echo x >/scratch/f && cat /scratch/f && echo x >/f");
  options.root_access = RootAccess::kReadOnly;
  options.storage.tmpfs = {"/scratch:size=1m"};
  const Ran ran = sandbox().Run(options);
  EXPECT_EQ(ran.output, "x\n");
  EXPECT_THAT(ran.errors, HasSubstr("Read-only file system"));
}

TEST_F(RuntimeContainerTest, WithoutNetworkThereIsLoopbackOnly) {
  RunOptions options = ShellOptions("ls /sys/class/net; cat /etc/hosts");
  options.network.network = "none";
  options.hostname = "box";
  EXPECT_THAT(sandbox().Run(options).output,
              testing::AllOf(testing::StartsWith("lo\n127.0.0.1\tlocalhost\n"), HasSubstr("127.0.0.1\tbox\n")));
}

TEST_F(RuntimeContainerTest, KernelInterfacesAreMasked) {
  EXPECT_NE(sandbox().Shell("echo 1 >/proc/sys/kernel/dmesg_restrict").exit_code, 0);
  EXPECT_EQ(sandbox().Shell("cat /proc/timer_list").output, "");
}

TEST_F(RuntimeContainerTest, FourRunAtOnce) {
  std::vector<StartedRun> runs;
  runs.reserve(4);
  for (int n = 0; n < 4; ++n) runs.push_back(sandbox().Start(ShellOptions("echo $((6 * 7))")));
  for (StartedRun& run : runs) {
    EXPECT_EQ(run.ReadAll(), "42\n");
    EXPECT_EQ(run.Await(), 0) << run.Errors();
  }
}

TEST_F(RuntimeContainerTest, SignalsReachTheContainer) {
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1, SIGHUP}) {
    const std::string number = std::to_string(signal);
    StartedRun run = sandbox().Start(ShellOptions("trap 'exit 40' " + number + "; sleep 1000 & echo ready; wait"));
    ASSERT_EQ(run.ReadLine(), "ready") << run.Errors();
    ::kill(run.pid(), signal);
    EXPECT_EQ(run.Await(), 40) << "signal " << number;
  }
}

TEST_F(RuntimeContainerTest, StoppingKillsWhatDoesNotEndByItself) {
  RunOptions options = ShellOptions("trap '' TERM; echo ready; sleep 1000");
  options.stop_timeout_seconds = 0;
  StartedRun run = sandbox().Start(options);
  ASSERT_EQ(run.ReadLine(), "ready");
  const Status stopped = StopAll(sandbox().room());
  EXPECT_TRUE(stopped.ok()) << stopped.error().message();
  EXPECT_EQ(run.Await(), 128 + SIGKILL);
}

TEST_F(RuntimeContainerTest, ItsStopSignalAsksItToEnd) {
  RunOptions options = ShellOptions("trap 'exit 7' USR1; sleep 1000 & echo ready; wait");
  options.stop_signal = "USR1";
  StartedRun run = sandbox().Start(options);
  ASSERT_EQ(run.ReadLine(), "ready");
  EXPECT_TRUE(StopAll(sandbox().room()).ok());
  EXPECT_EQ(run.Await(), 7);
}

TEST_F(RuntimeContainerTest, TheNameOfAContainerIsTaken) {
  RunOptions options = ShellOptions("trap 'exit 0' TERM; sleep 1000 & echo ready; wait");
  options.name = "web";
  StartedRun run = sandbox().Start(options);
  ASSERT_EQ(run.ReadLine(), "ready");
  const Ran refused = sandbox().Run(options);
  EXPECT_EQ(refused.exit_code, 125);
  EXPECT_THAT(refused.errors, HasSubstr("already in use"));
  EXPECT_TRUE(StopAll(sandbox().room()).ok());
  EXPECT_EQ(run.Await(), 0);
}

TEST_F(RuntimeContainerTest, WhileItRunsItIsListedAndSignalsReachItsFirstProcess) {
  StartedRun run = sandbox().Start(ShellOptions("trap 'exit 40' USR1; sleep 1000 & echo ready; wait"));
  ASSERT_EQ(run.ReadLine(), "ready");
  const std::vector<Container> containers = *sandbox().room().List();
  ASSERT_EQ(containers.size(), 1u);
  EXPECT_EQ(containers[0].state.status, ContainerStatus::kRunning);
  EXPECT_TRUE(SignalContainer(sandbox().room(), containers[0], SIGUSR1).ok());
  EXPECT_EQ(run.Await(), 40);
}

TEST_F(RuntimeContainerTest, WhatRunsIsNotRemoved) {
  StartedRun run = sandbox().Start(ShellOptions("echo ready; exec sleep 1000"));
  ASSERT_EQ(run.ReadLine(), "ready");
  const std::string id = sandbox().room().List()->front().record.id;
  EXPECT_THAT(RemoveContainer(sandbox().room(), id, Running::kRefused, AnonymousVolumes::kKept).error().message(),
              HasSubstr("it is running"));
  EXPECT_TRUE(RemoveContainer(sandbox().room(), id, Running::kKilled, AnonymousVolumes::kKept).ok());
  EXPECT_EQ(run.Await(), 128 + SIGKILL);
}

TEST_F(RuntimeContainerTest, KillingTheRunLeavesNoProcessNoMountAndOnlyWhatTheNextOneSweeps) {
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  const std::string volume = sandbox().path("fifo");
  std::filesystem::create_directories(volume);
  ASSERT_EQ(::mkfifo((volume + "/alive").c_str(), 0600), 0);
  const UniqueFd alive(::open((volume + "/alive").c_str(), O_RDONLY | O_NONBLOCK));
  RunOptions options = ShellOptions("exec 3>/v/alive; trap '' TERM HUP INT; echo x >/upper; echo ready; sleep 1000");
  options.storage.volumes = {volume + ":/v"};
  {
    StartedRun run = sandbox().Start(options);
    ASSERT_EQ(run.ReadLine(), "ready") << run.Errors();
    ::kill(run.pid(), SIGKILL);
    EXPECT_EQ(run.Await(), 128 + SIGKILL);
  }
  // Orphans are reparented to us, so this waits for runc, whose end is the end of all that is in its pid namespace.
  while (::waitpid(-1, nullptr, 0) > 0) continue;
  ASSERT_EQ(errno, ECHILD);
  char byte = 0;
  EXPECT_EQ(::read(alive.get(), &byte, 1), 0) << "somebody in the container still has the fifo open";
  EXPECT_THAT(Contents("/proc/self/mountinfo"), Not(HasSubstr(sandbox().state_root())));
  EXPECT_EQ(sandbox().ContainerDirectories(), 1u);
  EXPECT_EQ(sandbox().room().List()->front().state.status, ContainerStatus::kExited);
  EXPECT_EQ(sandbox().Shell("true").exit_code, 0);
}

TEST_F(RuntimeContainerTest, ItEndsWithItsFirstProcess) {
  StartedRun run = sandbox().Start(ShellOptions("sleep 1000 & echo ready"));
  EXPECT_EQ(run.ReadAll(), "ready\n");
  EXPECT_EQ(run.Await(), 0);
}

}  // namespace
}  // namespace varve
