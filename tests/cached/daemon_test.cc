// The daemon as a process.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "cached/client/channel.h"
#include "cached/client/daemon_client.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

constexpr std::chrono::seconds kStartTimeout{30};

class DaemonTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }
  ~DaemonTest() override { Stop(); }

  void Start() {
    ::umask(0022);  // the daemon's own must do
    pid_ = ::fork();
    ASSERT_GE(pid_, 0);
    if (pid_ != 0) return;
    ::setenv("VARVE_ROOT", root_.c_str(), 1);
    ::execl(VARVE_CACHED, VARVE_CACHED, "--log-to-file", static_cast<char*>(nullptr));
    ::_exit(127);
  }
  bool Answers() {
    return ConnectUnix(root_ + "/run/cached.sock")->WaitForConnected(std::chrono::system_clock::now() + kStartTimeout);
  }
  int Wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  int Stop() {
    if (pid_ <= 0) return 0;
    ::kill(pid_, SIGTERM);
    return Wait();
  }
  std::uint64_t ResidentKibibytes() const {
    std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
    std::uint64_t kibibytes = 0;
    for (std::string word; status >> word && word != "VmRSS:";) continue;
    status >> kibibytes;
    return kibibytes;
  }
  std::string Log() {
    std::stringstream text;
    text << std::ifstream(root_ + "/run/cached.log").rdbuf();
    return text.str();
  }

  const TempDir directory_;
  const std::string root_ = directory_ / "root";
  pid_t pid_ = -1;
};

TEST_F(DaemonTest, MakesNothingThatOthersMayTouch) {
  Start();
  ASSERT_TRUE(Answers());
  ASSERT_TRUE(DaemonClient(root_ + "/run/cached.sock").ListImages().ok());
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root_)) {
    EXPECT_EQ(entry.symlink_status().permissions() & std::filesystem::perms(0077), std::filesystem::perms::none)
        << entry.path();
    ++files;
  }
  EXPECT_GT(files, 10);
  EXPECT_EQ(Stop(), 0);
}

TEST_F(DaemonTest, SaysWhichConfigurationItHasRead) {
  std::filesystem::create_directory(root_);
  std::ofstream(root_ + "/cached.toml") << "[log]\nlevel = \"error\"\n";
  Start();
  ASSERT_TRUE(Answers());
  const auto status = DaemonClient(root_ + "/run/cached.sock").SystemStatus();
  ASSERT_TRUE(status.ok()) << status.error().message();
  ASSERT_GT(status->config_files_size(), 0);
  EXPECT_EQ(*status->config_files().rbegin(), root_ + "/cached.toml");
  EXPECT_EQ(Stop(), 0);
  EXPECT_EQ(Log(), "");
}

// DESIGN's limit; docs/design/threading.md, "Memory", says what it is made of. Sanitizers and unoptimised code take
// more.
TEST_F(DaemonTest, TakesNoMoreThan40MebibytesWhenIdle) {
#if !defined(NDEBUG) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "not a release build";
#endif
  Start();
  ASSERT_TRUE(Answers());
  ASSERT_TRUE(DaemonClient(root_ + "/run/cached.sock").ListImages().ok());
  EXPECT_GT(ResidentKibibytes(), 1u << 10);
  EXPECT_LE(ResidentKibibytes(), 40u << 10);
  EXPECT_EQ(Stop(), 0);
}

TEST_F(DaemonTest, DoesNotStartWithAConfigurationThatIsWrong) {
  std::filesystem::create_directory(root_);
  std::ofstream(root_ + "/cached.toml") << "[gc]\nmaximum = 1\n";
  Start();
  EXPECT_EQ(Wait(), 1);
  EXPECT_NE(Log().find(root_ + "/cached.toml:2: unknown key gc.maximum"), std::string::npos) << Log();
}

}  // namespace
}  // namespace varve
