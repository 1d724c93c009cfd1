#include "cached/client/driver_protocol.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <thread>

#include "cached/base/bytes.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

constexpr std::chrono::milliseconds kTimeout{10'000};

class DriverProtocolTest : public testing::Test {
 protected:
  // Answers the next request with what `answer` returns.
  std::thread AnswerOnce(std::function<Result<DriverReply>(const Result<DriverRequest>&)> answer) {
    return std::thread([this, answer = std::move(answer)] {
      const UniqueFd connection(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      EXPECT_TRUE(SendDriverReply(connection.get(), answer(ReceiveDriverRequest(connection.get(), kTimeout))).ok());
    });
  }

  TempDir directory_;
  const std::string path_ = directory_ / "fuse.sock";
  UniqueFd listening_ = *ListenForDriverRequests(path_);
  const ChainId image_{*Digest::FromHexText(std::string(64, 'a'))};
};

TEST_F(DriverProtocolTest, AMountComesAsADescriptor) {
  std::thread driver = AnswerOnce([&](const Result<DriverRequest>& request) -> Result<DriverReply> {
    EXPECT_TRUE(request.ok() && request->mount == image_);
    return DriverReply{1, "v", UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC))};
  });
  const auto mount = RequestMount(path_, image_);
  driver.join();
  ASSERT_TRUE(mount.ok());
  struct stat got{}, expected{};
  ASSERT_EQ(::fstat(mount->get(), &got), 0);
  ASSERT_EQ(::stat("/dev/null", &expected), 0);
  EXPECT_EQ(got.st_rdev, expected.st_rdev);
  EXPECT_NE(::fcntl(mount->get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(DriverProtocolTest, APingIsAnsweredWithPidAndVersion) {
  std::thread driver = AnswerOnce([](const Result<DriverRequest>& request) -> Result<DriverReply> {
    EXPECT_TRUE(request.ok() && !request->mount);
    return DriverReply{4711, "1.2.3", {}};
  });
  const auto reply = PingDriver(path_);
  driver.join();
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->pid, 4711);
  EXPECT_EQ(reply->version, "1.2.3");
}

TEST_F(DriverProtocolTest, AnErrorComesBackAsItWas) {
  std::thread driver = AnswerOnce([](const Result<DriverRequest>&) -> Result<DriverReply> {
    return Error(Code::kNotFound, "image aa is not stored");
  });
  const auto mount = RequestMount(path_, image_);
  driver.join();
  ASSERT_FALSE(mount.ok());
  EXPECT_EQ(mount.error().code(), Code::kNotFound);
  EXPECT_THAT(mount.error().message(), testing::HasSubstr("image aa is not stored"));
}

TEST_F(DriverProtocolTest, ASocketThatNobodyListensOnIsUnavailable) {
  listening_.Reset();
  EXPECT_EQ(PingDriver(path_).error().code(), Code::kUnavailable);
  EXPECT_EQ(PingDriver(directory_ / "absent.sock").error().code(), Code::kUnavailable);
}

TEST_F(DriverProtocolTest, APathThatIsTooLongIsRefused) {
  EXPECT_EQ(PingDriver(std::string(200, 'p')).error().code(), Code::kInvalidArgument);
}

TEST_F(DriverProtocolTest, TheSocketIsItsOwnersOnly) {
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
}

// Sends raw bytes over a socket pair, whose peer is this process.
Result<DriverRequest> Receive(ByteSpan bytes) {
  std::array<int, 2> ends;
  VARVE_CHECK(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0);
  const UniqueFd command(ends[0]);
  const UniqueFd driver(ends[1]);
  VARVE_CHECK(::send(command.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  return ReceiveDriverRequest(driver.get(), kTimeout);
}

Bytes RequestOf(std::uint32_t version, std::uint32_t kind, const std::string& hex) {
  Bytes bytes;
  ByteWriter writer(bytes);
  writer.Fixed(version);
  writer.Fixed(kind);
  writer.Raw(AsBytes(hex));
  return bytes;
}

TEST(ReceiveDriverRequestTest, WhatIsNoRequestIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root is heard";
  const std::string hex(64, 'a');
  EXPECT_TRUE(Receive(RequestOf(kDriverProtocolVersion, 2, hex)).ok());
  EXPECT_EQ(Receive(AsBytes("x")).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(Receive(RequestOf(kDriverProtocolVersion, 2, hex + "a")).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(Receive(RequestOf(kDriverProtocolVersion, 3, hex)).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(Receive(RequestOf(kDriverProtocolVersion, 2, std::string(64, '/'))).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(Receive(RequestOf(kDriverProtocolVersion + 1, 2, hex)).error().code(), Code::kFailedPrecondition);
}

TEST(ReceiveDriverRequestTest, OnlyRootIsHeard) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
  TempDir directory;
  ASSERT_EQ(::chmod(directory.path().c_str(), 0755), 0);
  const std::string path = directory / "fuse.sock";
  const UniqueFd listening = *ListenForDriverRequests(path);
  ASSERT_EQ(::chmod(path.c_str(), 0666), 0);
  const pid_t other = ::fork();
  if (other == 0) {
    ::_exit(::setuid(1234) == 0 && PingDriver(path).ok() ? 1 : 0);
  }
  const UniqueFd connection(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_EQ(ReceiveDriverRequest(connection.get(), kTimeout).error().code(), Code::kPermissionDenied);
}

}  // namespace
}  // namespace varve
