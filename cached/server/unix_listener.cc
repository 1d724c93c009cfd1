#include "cached/server/unix_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "cached/base/log.h"

namespace varve {
namespace {

constexpr int kBacklog = 128;
constexpr std::size_t kGroupsMax = 65536;  // NGROUPS_MAX of Linux

Status ShareDirectory(const std::string& socket_path, gid_t group) {
  const std::string directory = socket_path.substr(0, socket_path.rfind('/'));
  if (::chown(directory.c_str(), static_cast<uid_t>(-1), group) != 0 || ::chmod(directory.c_str(), 0710) != 0)
    return ErrnoError(errno, directory);
  return Ok();
}

// The supplementary groups of the process that connected; none if the kernel does not say.
std::vector<gid_t> GroupsOf(int peer) {
  std::vector<gid_t> groups(kGroupsMax);
  socklen_t size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  if (::getsockopt(peer, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) return {};
  groups.resize(size / sizeof(gid_t));
  return groups;
}

}  // namespace

Result<UnixListener> UnixListener::Create(const std::string& path, std::optional<gid_t> group) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return Error(Code::kInvalidArgument, path + ": longer than the " + std::to_string(sizeof(address.sun_path) - 1) +
                                             " bytes of a socket's path");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return ErrnoError(errno, "socket");
  ::unlink(path.c_str());
  if (group) VARVE_RETURN_IF_ERROR(ShareDirectory(path, *group));
  // Nobody can connect before listen().
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      (group && ::chown(path.c_str(), static_cast<uid_t>(-1), *group) != 0) ||
      ::chmod(path.c_str(), group ? 0660 : 0600) != 0 || ::listen(socket.get(), kBacklog) != 0) {
    return ErrnoError(errno, path);
  }
  return UnixListener(std::move(socket), path, group);
}

Result<UniqueFd> UnixListener::Accept() {
  while (true) {
    UniqueFd peer(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (peer.valid() && MayEnter(peer.get())) return peer;
    if (peer.valid() || errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EAGAIN) return UniqueFd();
    return ErrnoError(errno, path_ + ": accept");
  }
}

bool UnixListener::MayEnter(int peer) const {
  ucred who{};
  socklen_t size = sizeof(who);
  if (::getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) {
    LogWarning("{}", ErrnoError(errno, path_ + ": refused a peer").message());
    return false;
  }
  if (who.uid == 0 || who.uid == ::geteuid()) return true;
  if (group_ && (who.gid == *group_ || std::ranges::count(GroupsOf(peer), *group_) > 0)) return true;
  LogWarning("{}: refused a peer: pid {} of uid {} is neither root nor in [listen] group", path_, who.pid, who.uid);
  return false;
}

}  // namespace varve
