#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <random>

#include "cached/store/rebuild.h"
#include "tests/crash/expected_state.h"
#include "tests/crash/store_check.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

unsigned FromEnvironment(const char* name, unsigned otherwise) {
  const char* const set = std::getenv(name);
  return set == nullptr ? otherwise : static_cast<unsigned>(std::stoul(set));
}

class KillTest : public ::testing::Test {
 protected:
  RootPaths paths() const { return {directory_ / "root", directory_ / "root/run"}; }
  std::string expected() const { return directory_ / "expected"; }

  // Runs the stress program until it was told of `acknowledgements` changes.
  void RunAndKill(unsigned seed, unsigned acknowledgements) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, writer.get(), STDOUT_FILENO);
    std::vector<std::string> words = {VARVE_STORE_STRESS, paths().root, expected(), std::to_string(seed)};
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_t pid = 0;
    ASSERT_EQ(::posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    writer = UniqueFd();
    unsigned seen = 0;
    char byte = 0;
    while (seen < acknowledgements && ::read(reader.get(), &byte, 1) == 1) ++seen;
    ::kill(pid, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        << "the stress program ended by itself after " << seen << " changes: its error is above";
  }

  // Opens the store, compares it with what was acknowledged, and writes down what became of changes under way.
  void OpenAndCheck() {
    const auto store = Store::Open(Fs::Real(), paths(), {});
    ASSERT_TRUE(store.ok()) << store.error().message();
    for (const std::string& wrong : CheckStore(**store, images_)) ADD_FAILURE() << wrong;
    const ExpectedState state = ExpectedState::Read(expected());
    ExpectedLog log(expected());
    for (const auto& [name, allowed] : state.names) {
      const auto ref = (*store)->FindRef(name);
      ASSERT_TRUE(ref.ok());
      NamedImage found;
      for (std::size_t image = 0; *ref && image < images_.size(); ++image) {
        if (KeyOf(images_[image].manifest_digest) == (*ref)->manifest_digest()) found = image;
      }
      EXPECT_TRUE(allowed.contains(found)) << name << " is " << (found ? std::to_string(*found) : "gone");
      log.Done(name, found);
    }
    for (const auto& [diff_id, slot] : state.slots) {
      EXPECT_EQ((*store)->SlotOf(Digest::FromHexText(diff_id).value()).value(), slot) << diff_id;
    }
  }

  void Rebuild() {
    std::filesystem::remove_all(paths().db());
    const auto outcome = RebuildIndex(Fs::Real(), paths());
    ASSERT_TRUE(outcome.ok()) << outcome.error().message();
    for (const std::string& damage : outcome->damage) ADD_FAILURE() << "rebuild: " << damage;
  }

  const SyntheticImages images_{SyntheticImages::Shape()};
  const TempDir directory_;
};

// VARVE_CRASH_ROUNDS kills instead of the few that a test run has time for, from VARVE_CRASH_SEED on.
TEST_F(KillTest, AStoreKilledAgainAndAgainLosesNothingThatItAcknowledged) {
  const unsigned rounds = FromEnvironment("VARVE_CRASH_ROUNDS", 16);
  const unsigned seed = FromEnvironment("VARVE_CRASH_SEED", 1);
  std::mt19937 random(seed);
  for (unsigned round = 1; round <= rounds && !HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    RunAndKill(seed + round, 1 + static_cast<unsigned>(random() % 40));
    OpenAndCheck();
    if (round % 8 != 0) continue;
    // The packs alone say the same.
    Rebuild();
    OpenAndCheck();
  }
}

}  // namespace
}  // namespace varve
