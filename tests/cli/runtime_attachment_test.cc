#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>

#include "cli/runtime/attachment.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    VARVE_CHECK(::pipe2(ends.data(), O_CLOEXEC) == 0);
    reader.Reset(ends[0]);
    writer.Reset(ends[1]);
  }
  std::string ReadAll() {
    std::string text;
    std::array<char, 4096> buffer;
    for (ssize_t n = 0; (n = ::read(reader.get(), buffer.data(), buffer.size())) > 0;)
      text.append(buffer.data(), static_cast<std::size_t>(n));
    return text;
  }
  UniqueFd reader, writer;
};

// conmon's side, as far as a client sees it, and a client in a process of its own.
class RuntimeAttachmentTest : public testing::Test {
 protected:
  RuntimeAttachmentTest() {
    std::filesystem::create_directories(bundle_);
    const UniqueFd parent(::open(bundle_.c_str(), O_PATH | O_CLOEXEC));
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    ::snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/attach", parent.get());
    listener_.Reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    VARVE_CHECK(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    VARVE_CHECK(::listen(listener_.get(), 1) == 0);
  }

  void Attach(const AttachOptions& options) {
    client_ = ::fork();
    VARVE_CHECK(client_ >= 0);
    if (client_ == 0) {
      ::dup2(input_.reader.get(), STDIN_FILENO);
      ::dup2(output_.writer.get(), STDOUT_FILENO);
      ::dup2(errors_.writer.get(), STDERR_FILENO);
      input_.writer.Reset();
      Result<Attachment> attachment = Attachment::Open(bundle_);
      const auto outcome = attachment.ok() ? attachment->Pass(options, Terminal::kNone) : attachment.error();
      ::_exit(outcome.ok() && *outcome == Attachment::Outcome::kEnded ? 0 : 1);
    }
    output_.writer.Reset();
    errors_.writer.Reset();
    input_.reader.Reset();
    conmon_.Reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    VARVE_CHECK(conmon_.valid());
  }

  void Say(const std::string& packet) {
    EXPECT_EQ(::send(conmon_.get(), packet.data(), packet.size(), 0), static_cast<ssize_t>(packet.size()));
  }
  void Type(const std::string& text) {
    EXPECT_EQ(::write(input_.writer.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  // The next packet as conmon reads it; empty at the end.
  std::string Hear() {
    std::string packet(32768, '\0');
    packet.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::read(conmon_.get(), packet.data(), packet.size()))));
    return packet;
  }
  int EndOfClient() {
    conmon_.Reset();
    int status = 0;
    EXPECT_EQ(::waitpid(client_, &status, 0), client_);
    return status;
  }

  TempDir directory_;
  std::string bundle_ = directory_ / std::string(150, 'x');  // longer than the path of a socket may be
  UniqueFd listener_, conmon_;
  Pipe input_, output_, errors_;
  pid_t client_ = 0;
};

TEST_F(RuntimeAttachmentTest, WhatIsSaidGoesToItsStream) {
  Attach({});
  Say("\2out");
  Say("\3err");
  Say(std::string("\2\0\n\xff", 4));
  EXPECT_EQ(EndOfClient(), 0);
  EXPECT_EQ(output_.ReadAll(), std::string("out\0\n\xff", 6));
  EXPECT_EQ(errors_.ReadAll(), "err");
}

TEST_F(RuntimeAttachmentTest, AStreamThatIsNotAskedForIsNotShown) {
  Attach({.standard_error = false});
  Say("\3err");
  Say("\2out");
  EXPECT_EQ(EndOfClient(), 0);
  EXPECT_EQ(output_.ReadAll(), "out");
  EXPECT_EQ(errors_.ReadAll(), "");
}

TEST_F(RuntimeAttachmentTest, TheEndOfInputIsPassedOnAndOutputGoesOn) {
  Attach({.standard_input = Stdin::kPassed});
  Type("typed");
  EXPECT_EQ(Hear(), "typed");
  input_.writer.Reset();
  EXPECT_EQ(Hear(), "");
  Say("\2still there");
  EXPECT_EQ(EndOfClient(), 0);
  EXPECT_EQ(output_.ReadAll(), "still there");
}

TEST_F(RuntimeAttachmentTest, InputComesInPacketsThatConmonTakesWhole) {
  Attach({.standard_input = Stdin::kPassed});
  const std::string typed(60000, 'x');
  Type(typed);
  input_.writer.Reset();
  std::string heard;
  for (std::string packet; !(packet = Hear()).empty();) heard += packet;
  EXPECT_EQ(heard, typed);
  EXPECT_EQ(EndOfClient(), 0);
}

TEST_F(RuntimeAttachmentTest, WithoutInputNothingIsRead) {
  Attach({});
  Type("typed");
  Say("\2out");
  EXPECT_EQ(EndOfClient(), 0);
  EXPECT_EQ(output_.ReadAll(), "out");
}

// The kernel tells of input that conmon has not read by an error, before it gives what conmon has said last.
TEST_F(RuntimeAttachmentTest, WhatWasSaidLastArrivesThoughInputWasNotRead) {
  Attach({.standard_input = Stdin::kPassed});
  Type("typed");
  pollfd typed{.fd = conmon_.get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&typed, 1, -1), 1);
  ASSERT_EQ(::kill(client_, SIGSTOP), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(client_, &status, WUNTRACED), client_);
  for (int n = 0; n < 3; ++n) Say("\2last ");
  conmon_.Reset();
  ASSERT_EQ(::kill(client_, SIGCONT), 0);
  EXPECT_EQ(EndOfClient(), 0);
  EXPECT_EQ(output_.ReadAll(), "last last last ");
}

TEST_F(RuntimeAttachmentTest, WhatNobodyHoldsAnyMoreIsRefused) {
  listener_.Reset();
  const Result<Attachment> attachment = Attachment::Open(bundle_);
  ASSERT_FALSE(attachment.ok());
  EXPECT_EQ(attachment.error().code(), Code::kFailedPrecondition);
}

}  // namespace
}  // namespace varve
