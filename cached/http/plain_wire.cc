#include <sys/sendfile.h>
#include <sys/socket.h>

#include <cerrno>

#include "cached/http/wire.h"

namespace varve {
namespace {

// What a system call that moves bytes returned.
Result<WireStep> Step(ssize_t moved, WireStep::Kind blocked, const char* what) {
  if (moved > 0) return WireStep{.bytes = static_cast<std::size_t>(moved)};
  if (moved == 0) return WireStep{.kind = WireStep::Kind::kEnded};
  if (errno == EAGAIN || errno == EWOULDBLOCK) return WireStep{.kind = blocked};
  return ErrnoError(errno, what);
}

class PlainWire final : public Wire {
 public:
  explicit PlainWire(int fd) : fd_(fd) {}

  Result<WireStep> Handshake() override { return WireStep{}; }

  Result<WireStep> Read(std::span<std::byte> into) override {
    return Step(::recv(fd_, into.data(), into.size(), 0), WireStep::Kind::kWantsToRead, "receive");
  }

  Result<WireStep> Write(ByteSpan bytes, More more) override {
    const int flags = MSG_NOSIGNAL | (more == More::kYes ? MSG_MORE : 0);
    return Step(::send(fd_, bytes.data(), bytes.size(), flags), WireStep::Kind::kWantsToWrite, "send");
  }

  Result<WireStep> SendFile(const File& file, std::uint64_t offset, std::size_t length) override {
    auto at = static_cast<off_t>(offset);
    const ssize_t sent = ::sendfile(fd_, file.fd(), &at, length);
    if (sent < 0 && errno == EIO) return Error(Code::kDataLoss, "sendfile: the file cannot be read");
    return Step(sent, WireStep::Kind::kWantsToWrite, "sendfile");
  }

  bool holds_input() const override { return false; }
  void EndWrites() override { ::shutdown(fd_, SHUT_WR); }
  bool secure() const override { return false; }
  std::string peer_name() const override { return {}; }

 private:
  const int fd_;
};

}  // namespace

std::unique_ptr<Wire> MakePlainWire(int fd) { return std::make_unique<PlainWire>(fd); }

}  // namespace varve
