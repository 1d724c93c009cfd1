#include "cached/server/unix_listener.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "cached/base/bytes.h"
#include "cached/base/fs.h"
#include "cached/base/log.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

constexpr uid_t kNobody = 65534;
constexpr gid_t kGroup = 54321;

class UnixListenerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    EXPECT_EQ(::chmod((directory_ / "").c_str(), 0711), 0);
    EXPECT_EQ(::mkdir((directory_ / "run").c_str(), 0700), 0);
    EXPECT_TRUE(LogToFile(log_path_).ok());
  }

  UnixListener Listen(std::optional<gid_t> group) {
    auto listener = UnixListener::Create(path_, group);
    if (!listener.ok()) ADD_FAILURE() << listener.error().message();
    return std::move(listener).value();
  }
  mode_t ModeOf(const std::string& path) {
    struct stat info{};
    EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777;
  }
  // Connects as `uid` with one supplementary group; 0 if it reaches the socket, and then waits for its end.
  pid_t ConnectAs(uid_t uid, gid_t group) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    if (::setgroups(1, &group) != 0 || ::setgid(uid) != 0 || ::setuid(uid) != 0) ::_exit(1);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    const int peer = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(peer, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) ::_exit(2);
    char byte;
    ::_exit(::read(peer, &byte, 1) == 0 ? 0 : 3);
  }
  static int ExitCodeOf(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  static bool AcceptsNext(UnixListener& listener) {
    pollfd ready{listener.fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&ready, 1, 10'000), 1);
    const auto peer = listener.Accept();
    EXPECT_TRUE(peer.ok());
    return peer.ok() && peer->valid();
  }

  const TempDir directory_;
  const std::string path_ = directory_ / "run/cached.sock";
  const std::string log_path_ = directory_ / "log";
};

TEST_F(UnixListenerTest, IsRootsAloneUnlessAGroupIsGiven) {
  const UnixListener listener = Listen(std::nullopt);
  EXPECT_EQ(ModeOf(path_), 0600u);
  EXPECT_EQ(ModeOf(directory_ / "run"), 0700u);
  EXPECT_EQ(ExitCodeOf(ConnectAs(kNobody, kGroup)), 2);
}

TEST_F(UnixListenerTest, TakesInRoot) {
  UnixListener listener = Listen(std::nullopt);
  const pid_t root = ConnectAs(0, 0);
  EXPECT_TRUE(AcceptsNext(listener));
  EXPECT_EQ(ExitCodeOf(root), 0);
}

TEST_F(UnixListenerTest, RefusesAStrangerThatTheModeLetsInAndNamesHim) {
  UnixListener listener = Listen(std::nullopt);
  ASSERT_EQ(::chmod(path_.c_str(), 0666), 0);
  ASSERT_EQ(::chmod((directory_ / "run").c_str(), 0711), 0);
  const pid_t stranger = ConnectAs(kNobody, kGroup);
  EXPECT_FALSE(AcceptsNext(listener));
  EXPECT_EQ(ExitCodeOf(stranger), 0);
  const Bytes log = ReadWholeFile(Fs::Real(), log_path_, 1 << 20).value();
  EXPECT_NE(AsText(log).find("pid " + std::to_string(stranger) + " of uid 65534 is neither root nor in"),
            std::string_view::npos);
}

TEST_F(UnixListenerTest, TakesInAMemberOfTheGroup) {
  UnixListener listener = Listen(kGroup);
  EXPECT_EQ(ModeOf(path_), 0660u);
  EXPECT_EQ(ModeOf(directory_ / "run"), 0710u);
  const pid_t member = ConnectAs(kNobody, kGroup);
  EXPECT_TRUE(AcceptsNext(listener));
  EXPECT_EQ(ExitCodeOf(member), 0);
  EXPECT_EQ(ExitCodeOf(ConnectAs(kNobody, kGroup + 1)), 2);
}

TEST_F(UnixListenerTest, RefusesAPathThatNoSocketCanHave) {
  const auto listener = UnixListener::Create(directory_ / std::string(120, 'x'), std::nullopt);
  ASSERT_FALSE(listener.ok());
  EXPECT_EQ(listener.error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace varve
