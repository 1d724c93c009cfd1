#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "cli/runtime/state.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A process that holds a container of its own until it is killed or told to end.
class Holder {
 public:
  Holder(const std::string& state_root, const std::string& name) {
    std::array<int, 2> ready{};
    EXPECT_EQ(::pipe(ready.data()), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      const auto state = ContainerState::Create(state_root, NewContainerId(), name);
      if (!state.ok() || ::write(ready[1], "x", 1) != 1) ::_exit(1);
      ::pause();
    }
    ::close(ready[1]);
    char byte = 0;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
  }
  ~Holder() { Kill(); }

  pid_t pid() const { return pid_; }
  void Kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
};

std::size_t Directories(const std::string& state_root) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(state_root)) count += entry.is_directory() ? 1 : 0;
  return count;
}

TEST(RuntimeStateTest, AStateRootThatIsNotThereHasNoContainers) {
  EXPECT_THAT(*ListRunning("/no/such/root"), IsEmpty());
  EXPECT_TRUE(SweepDead("/no/such/root").ok());
}

TEST(RuntimeStateTest, AContainerIsListedWhileItLives) {
  const TempDir root;
  {
    const auto state = ContainerState::Create(root.path(), NewContainerId(), "web");
    ASSERT_TRUE(state.ok()) << state.error().message();
    const auto running = *ListRunning(root.path());
    ASSERT_EQ(running.size(), 1u);
    EXPECT_EQ(running[0].id, state->id());
    EXPECT_EQ(running[0].name, "web");
    EXPECT_EQ(running[0].pid, ::getpid());
  }
  EXPECT_THAT(*ListRunning(root.path()), IsEmpty());
  EXPECT_EQ(Directories(root.path()), 0u);
}

TEST(RuntimeStateTest, WithoutANameItIsTheShortId) {
  const TempDir root;
  const auto state = ContainerState::Create(root.path(), NewContainerId(), "");
  EXPECT_EQ((*ListRunning(root.path()))[0].name, state->id().substr(0, 12));
}

TEST(RuntimeStateTest, ANameIsUniqueAmongTheRunning) {
  const TempDir root;
  Holder holder(root.path(), "web");
  const auto refused = ContainerState::Create(root.path(), NewContainerId(), "web");
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message(), HasSubstr("already in use"));
  holder.Kill();
  EXPECT_TRUE(ContainerState::Create(root.path(), NewContainerId(), "web").ok());
}

TEST(RuntimeStateTest, BadNamesAreRefused) {
  const TempDir root;
  for (const char* name : {"-x", "a/b", "x", "..", "a b"}) {
    EXPECT_EQ(ContainerState::Create(root.path(), NewContainerId(), name).error().code(), Code::kInvalidArgument)
        << name;
  }
}

TEST(RuntimeStateTest, SweepingRemovesTheDeadAndLeavesTheLiving) {
  const TempDir root;
  const Holder living(root.path(), "living");
  Holder dead(root.path(), "dead");
  dead.Kill();
  EXPECT_EQ(Directories(root.path()), 2u);
  ASSERT_TRUE(SweepDead(root.path()).ok());
  EXPECT_EQ(Directories(root.path()), 1u);
  EXPECT_EQ((*ListRunning(root.path()))[0].pid, living.pid());
}

TEST(RuntimeStateTest, StoppingEndsEveryContainerAndSweeps) {
  const TempDir root;
  const Holder one(root.path(), "one");
  const Holder two(root.path(), "two");
  const Status stopped = StopRunning(root.path(), std::chrono::seconds(10));
  ASSERT_TRUE(stopped.ok()) << stopped.error().message();
  EXPECT_EQ(Directories(root.path()), 0u);
}

}  // namespace
}  // namespace varve
