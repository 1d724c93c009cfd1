#include "cached/client/driver_protocol.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "cached/base/bytes.h"

namespace varve {
namespace {

constexpr std::uint32_t kPing = 1;
constexpr std::uint32_t kMount = 2;
constexpr std::size_t kHexBytes = 64;
constexpr std::size_t kRequestBytes = 8 + kHexBytes;
constexpr std::size_t kReplyBytesMax = 4096;
constexpr int kBacklog = 64;
// Longer than the daemon may take to describe an image, so that its error arrives instead of ours.
constexpr std::chrono::milliseconds kReplyTimeout{20'000};

Result<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return Error(Code::kInvalidArgument,
                 fmt::format("{}: a socket's path has at most {} bytes: choose a shorter VARVE_ROOT", path,
                             sizeof(address.sun_path) - 1));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Status SetReceiveTimeout(int socket, std::chrono::milliseconds timeout) {
  const timeval value{.tv_sec = timeout.count() / 1000, .tv_usec = timeout.count() % 1000 * 1000};
  if (::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof(value)) != 0)
    return ErrnoError(errno, "SO_RCVTIMEO");
  return Ok();
}

struct Message {
  Bytes bytes;
  UniqueFd fd;
};

// One message; empty if the peer closed.
Result<Message> Receive(int socket, std::size_t most_bytes) {
  Message message{Bytes(most_bytes), {}};
  iovec body{message.bytes.data(), message.bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &body;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t size = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
  if (size < 0) {
    if (errno == EAGAIN) return Error(Code::kUnavailable, "no answer in time");
    return ErrnoError(errno, "recvmsg");
  }
  message.bytes.resize(static_cast<std::size_t>(size));
  const cmsghdr* rights = CMSG_FIRSTHDR(&header);
  if (rights != nullptr && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(rights), sizeof(fd));
    message.fd.Reset(fd);
  }
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
    return Error(Code::kInvalidArgument, "the message is too long");
  return message;
}

Status Send(int socket, ByteSpan bytes, int fd) {
  iovec body{const_cast<std::byte*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &body;
  header.msg_iovlen = 1;
  if (fd >= 0) {
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(fd));
    std::memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
  }
  if (::sendmsg(socket, &header, MSG_NOSIGNAL) < 0) return ErrnoError(errno, "sendmsg");
  return Ok();
}

Result<DriverReply> Ask(const std::string& socket_path, const DriverRequest& request) {
  VARVE_ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(socket_path));
  const UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return ErrnoError(errno, "socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) return Error(Code::kUnavailable, "varve-fuse is not running");
    return ErrnoError(errno, socket_path);
  }
  VARVE_RETURN_IF_ERROR(SetReceiveTimeout(socket.get(), kReplyTimeout));
  Bytes bytes;
  ByteWriter writer(bytes);
  writer.Fixed(kDriverProtocolVersion);
  writer.Fixed(request.mount ? kMount : kPing);
  writer.Raw(AsBytes(request.mount ? request.mount->hex() : std::string(kHexBytes, '\0')));
  VARVE_RETURN_IF_ERROR(Send(socket.get(), bytes, -1));

  VARVE_ASSIGN_OR_RETURN(Message message, Receive(socket.get(), kReplyBytesMax));
  ByteReader reader(message.bytes);
  VARVE_ASSIGN_OR_RETURN(const std::uint32_t code, reader.Fixed<std::uint32_t>());
  VARVE_ASSIGN_OR_RETURN(const std::uint32_t pid, reader.Fixed<std::uint32_t>());
  VARVE_ASSIGN_OR_RETURN(const ByteSpan text, reader.Raw(reader.remaining()));
  if (code != 0) return Error(code <= 16 ? static_cast<Code>(code) : Code::kUnknown, std::string(AsText(text)));
  return DriverReply{static_cast<pid_t>(pid), std::string(AsText(text)), std::move(message.fd)};
}

}  // namespace

Result<UniqueFd> RequestMount(const std::string& socket_path, const ChainId& chain_id) {
  VARVE_ASSIGN_OR_RETURN(DriverReply reply, Ask(socket_path, {chain_id}).In("varve-fuse"));
  if (!reply.mount.valid()) return Error(Code::kInternal, "varve-fuse answered without a mount");
  return std::move(reply.mount);
}

Result<DriverReply> PingDriver(const std::string& socket_path) { return Ask(socket_path, {}).In("varve-fuse"); }

Result<DriverRequest> ReceiveDriverRequest(int connection, std::chrono::milliseconds timeout) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return ErrnoError(errno, "SO_PEERCRED");
  if (peer.uid != 0) return Error(Code::kPermissionDenied, fmt::format("uid {} is not root", peer.uid));
  VARVE_RETURN_IF_ERROR(SetReceiveTimeout(connection, timeout));
  VARVE_ASSIGN_OR_RETURN(const Message message, Receive(connection, kRequestBytes));
  if (message.bytes.size() != kRequestBytes) return Error(Code::kInvalidArgument, "not a request");
  const auto version = LoadLittle<std::uint32_t>(message.bytes.data());
  if (version != kDriverProtocolVersion) {
    return Error(Code::kFailedPrecondition, fmt::format("varve-fuse speaks protocol {}, not {}: run varve system stop",
                                                        kDriverProtocolVersion, version));
  }
  const auto kind = LoadLittle<std::uint32_t>(message.bytes.data() + 4);
  if (kind == kPing) return DriverRequest{};
  if (kind != kMount) return Error(Code::kInvalidArgument, fmt::format("request of an unknown kind {}", kind));
  VARVE_ASSIGN_OR_RETURN(const Digest digest, Digest::FromHexText(AsText(ByteSpan(message.bytes).subspan(8))));
  return DriverRequest{ChainId{digest}};
}

Status SendDriverReply(int connection, const Result<DriverReply>& reply) {
  Bytes bytes;
  ByteWriter writer(bytes);
  writer.Fixed(reply.ok() ? std::uint32_t{0} : static_cast<std::uint32_t>(reply.error().code()));
  writer.Fixed(reply.ok() ? static_cast<std::uint32_t>(reply->pid) : std::uint32_t{0});
  writer.Raw(AsBytes(reply.ok() ? reply->version : reply.error().message()));
  bytes.resize(std::min(bytes.size(), kReplyBytesMax));
  return Send(connection, bytes, reply.ok() ? reply->mount.get() : -1);
}

Result<UniqueFd> ListenForDriverRequests(const std::string& socket_path) {
  VARVE_ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(socket_path));
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return ErrnoError(errno, "socket");
  ::unlink(socket_path.c_str());
  const mode_t mask = ::umask(0177);
  const int bound = ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = errno;
  ::umask(mask);
  if (bound != 0) return ErrnoError(error, socket_path);
  if (::listen(socket.get(), kBacklog) != 0) return ErrnoError(errno, socket_path);
  return socket;
}

}  // namespace varve
