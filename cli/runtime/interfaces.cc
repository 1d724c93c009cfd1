#include "cli/runtime/interfaces.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <thread>

namespace varve {
namespace {

enum class Turn { kUp, kDown };

Status TurnInterface(const std::string& name, Turn turn) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return ErrnoError(errno, "socket");
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0) return ErrnoError(errno, "interface " + name);
  const int flags = turn == Turn::kUp ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP;
  request.ifr_flags = static_cast<short>(flags);
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) return ErrnoError(errno, "interface " + name);
  return Ok();
}

Result<UniqueFd> EnterNewNamespace() {
  if (::unshare(CLONE_NEWNET) != 0) return ErrnoError(errno, "new network namespace (varve run needs root)");
  VARVE_RETURN_IF_ERROR(TurnInterface("lo", Turn::kUp));
  UniqueFd fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError(errno, "/proc/thread-self/ns/net");
  return fd;
}

}  // namespace

Result<UniqueFd> NewNetworkNamespace() {
  Result<UniqueFd> made = UniqueFd();
  std::thread([&] { made = EnterNewNamespace(); }).join();  // the calling thread stays where it is
  return made;
}

bool InterfaceExists(const std::string& name) { return ::if_nametoindex(name.c_str()) != 0; }

Status RemoveBridge(const std::string& name) {
  if (!InterfaceExists(name)) return Ok();
  VARVE_RETURN_IF_ERROR(TurnInterface(name, Turn::kDown));  // the kernel removes no other
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid() || ::ioctl(socket.get(), SIOCBRDELBR, name.c_str()) != 0)
    return ErrnoError(errno, "bridge " + name);
  return Ok();
}

}  // namespace varve
