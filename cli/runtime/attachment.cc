#include "cli/runtime/attachment.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "cached/base/check.h"
#include "cli/runtime/output.h"

// conmon's attach socket (conn_sock.c), of type SEQPACKET:
//
//   to us      a packet is a byte, 2 for standard output or a terminal, 3 for standard error, and at most 8 KiB of that
//   from us    a packet of at most 32 KiB goes to standard input; when we shut down our half, that ends, unless conmon
//              was told --leave-stdin-open
//
// conmon reads on only when each client has taken what was read last, so that nothing is lost, however slow we are; and
// before it closes the socket, it reads all that a container that has ended left behind. It does not read from us while
// the container takes no input: what is typed waits here, at most one packet, and output goes on meanwhile.

namespace varve {
namespace {

constexpr std::size_t kInputBytesMax = 32 << 10;
constexpr std::size_t kPacketBytesMax = 1 + (8 << 10);
constexpr char kStandardError = 3;

class Pump {
 public:
  Pump(int socket, const AttachOptions& options, DetachKeys keys)
      : socket_(socket),
        options_(options),
        keys_(std::move(keys)),
        input_(options.standard_input == Stdin::kEmpty ? -1 : STDIN_FILENO) {}

  Result<Attachment::Outcome> Run() {
    for (;;) {
      const short to_send = to_send_.empty() ? 0 : POLLOUT;
      const int input = to_send_.empty() ? input_ : -1;
      std::array<pollfd, 2> polls = {{{.fd = socket_, .events = static_cast<short>(POLLIN | to_send), .revents = 0},
                                      {.fd = input, .events = POLLIN, .revents = 0}}};
      if (::poll(polls.data(), polls.size(), -1) < 0) {
        if (errno == EINTR) continue;
        return ErrnoError(errno, "poll");
      }
      if ((polls[0].revents & ~POLLOUT) != 0) {
        VARVE_ASSIGN_OR_RETURN(const bool more, TakeOutput());
        if (!more) return Attachment::Outcome::kEnded;
      }
      if ((polls[0].revents & POLLOUT) != 0) Send();
      if (polls[1].revents != 0) {
        TakeInput();
        if (!keys_.pressed()) continue;
        if (!to_send_.empty()) Send();  // what was typed before
        return Attachment::Outcome::kDetached;
      }
    }
  }

 private:
  // Whether there may be more.
  Result<bool> TakeOutput() {
    const ssize_t n = ::recv(socket_, packet_.data(), packet_.size(), 0);
    // conmon has gone with input of ours unread (ECONNRESET); what it has sent before is still there.
    if (n < 0 && (errno == EINTR || errno == ECONNRESET)) return true;
    if (n < 0) return ErrnoError(errno, "conmon's attach socket");
    if (n == 0) return false;
    const bool error = packet_[0] == kStandardError;
    if (error ? options_.standard_error : options_.standard_output) {
      const std::string_view said(packet_.data() + 1, static_cast<std::size_t>(n) - 1);
      VARVE_RETURN_IF_ERROR(WriteOutput(error ? STDERR_FILENO : STDOUT_FILENO, said));
    }
    return true;
  }

  void TakeInput() {
    std::array<char, kInputBytesMax / 2> typed;  // what the keys held back comes in front
    const ssize_t n = ::read(input_, typed.data(), typed.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) {  // a terminal that has gone away is an error, and the end
      EndInput();
      return;
    }
    to_send_ = keys_.Pass({typed.data(), static_cast<std::size_t>(n)});
  }

  void Send() {
    if (::send(socket_, to_send_.data(), to_send_.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
      to_send_.clear();
    } else if (errno != EAGAIN && errno != EINTR) {  // nobody takes it any more
      to_send_.clear();
      input_ = -1;
    }
  }

  void EndInput() {
    ::shutdown(socket_, SHUT_WR);
    input_ = -1;
  }

  int socket_;
  const AttachOptions& options_;
  DetachKeys keys_;
  int input_;  // -1: no more
  std::string to_send_;
  std::array<char, kPacketBytesMax> packet_;
};

}  // namespace

Result<Attachment> Attachment::Open(const std::string& directory) {
  // By a descriptor of the directory, since the path of a socket is 107 bytes at most.
  const UniqueFd parent(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!parent.valid()) return ErrnoError(errno, directory);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string path = fmt::format("/proc/self/fd/{}/attach", parent.get());
  VARVE_CHECK(path.size() < sizeof(address.sun_path));
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return ErrnoError(errno, "socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    if (errno != ENOENT && errno != ECONNREFUSED) return ErrnoError(errno, directory + "/attach");
    return Error(Code::kFailedPrecondition, "conmon does not hold it any more");
  }
  return Attachment(std::move(socket));
}

Status Attachment::FollowSize(const ProcessId& conmon, Redraw redraw) {
  VARVE_ASSIGN_OR_RETURN(UniqueFd held, TerminalHeldBy(conmon));
  size_ = std::make_unique<SizeFollowing>(std::move(held), redraw);
  return Ok();
}

Result<Attachment::Outcome> Attachment::Pass(const AttachOptions& options, Terminal terminal) {
  const bool typed = terminal == Terminal::kAllocated && options.standard_input != Stdin::kEmpty;
  VARVE_ASSIGN_OR_RETURN(std::string keys,
                         ParseDetachKeys(typed ? options.detach_keys.value_or(std::string(kDetachKeys)) : ""));
  std::unique_ptr<RawInput> raw;
  if (typed) {
    VARVE_ASSIGN_OR_RETURN(raw, RawInput::Begin());
  }
  const Result<Outcome> outcome = Pump(socket_.get(), options, DetachKeys(std::move(keys))).Run();
  raw.reset();
  if (outcome.ok() && *outcome == Outcome::kDetached) fmt::print(stderr, "read escape sequence\n");
  return outcome;
}

}  // namespace varve
