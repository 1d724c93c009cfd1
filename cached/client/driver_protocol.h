#pragma once

#include <sys/types.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cached/base/fd.h"
#include "cached/base/result.h"
#include "cached/content/digest.h"

// How a command gets a mount from varve-fuse: one message each way over a SOCK_SEQPACKET unix socket, then it is
// closed.
//   request = version u32, kind u32 (1 ping, 2 mount), chain ID in hex [64] (zeros for a ping)
//   reply   = code u32 (0, or gRPC's), pid u32, text (varve-fuse's version, or the error's message), and with a mount
//   one descriptor
// The descriptor is a detached mount (open_tree) of the image's root; the caller attaches it by move_mount where it
// likes.
namespace varve {

inline constexpr std::uint32_t kDriverProtocolVersion = 1;

// How a command asks through a mount whether the varve-fuse behind it lives: it looks up a name that starts with
// kProbePrefix and was never asked for. Of an image that has no such name, the answer is kProbeAnswer. Unlike ENOENT,
// the kernel remembers no error, overlayfs above included: a probe leaves nothing behind. Without a varve-fuse it is
// ENOTCONN.
inline constexpr std::string_view kProbePrefix = ".varve-probe-";
inline constexpr int kProbeAnswer = ENODATA;

struct DriverRequest {
  std::optional<ChainId> mount;  // none: a ping
};
struct DriverReply {
  pid_t pid = 0;
  std::string version;
  UniqueFd mount;
};

// For commands. Errors of varve-fuse come back as they were; kUnavailable if nobody listens.
Result<UniqueFd> RequestMount(const std::string& socket_path, const ChainId& chain_id);
Result<DriverReply> PingDriver(const std::string& socket_path);

// For varve-fuse. `connection` is accepted. kPermissionDenied unless the peer is root; a peer that says nothing is
// kUnavailable.
Result<DriverRequest> ReceiveDriverRequest(int connection, std::chrono::milliseconds timeout);
Status SendDriverReply(int connection, const Result<DriverReply>& reply);
// A listening socket with mode 0600, in place of whatever is at `socket_path`.
Result<UniqueFd> ListenForDriverRequests(const std::string& socket_path);

}  // namespace varve
