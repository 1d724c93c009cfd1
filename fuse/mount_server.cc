#include "fuse/mount_server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "cached/base/log.h"

namespace varve {
namespace {

constexpr std::size_t kThreads = 4;  // a request may wait for the daemon
constexpr std::size_t kQueuedMax = 64;
constexpr std::chrono::milliseconds kRequestTimeout{2'000};

}  // namespace

Result<std::unique_ptr<MountServer>> MountServer::Start(const std::string& socket_path, Handler handler) {
  VARVE_ASSIGN_OR_RETURN(UniqueFd listening, ListenForDriverRequests(socket_path));
  return std::unique_ptr<MountServer>(new MountServer(socket_path, std::move(listening), std::move(handler)));
}

MountServer::MountServer(std::string socket_path, UniqueFd listening, Handler handler)
    : socket_path_(std::move(socket_path)),
      listening_(std::move(listening)),
      handler_(std::move(handler)),
      pool_(kThreads, kQueuedMax),
      accepting_([this] { AcceptAll(); }) {}

MountServer::~MountServer() {
  ::unlink(socket_path_.c_str());
  ::shutdown(listening_.get(), SHUT_RDWR);  // accept returns with an error
  accepting_.join();
}

void MountServer::AcceptAll() {
  while (true) {
    const int connection = ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (connection >= 0) {
      pool_.Run([this, connection] { Answer(connection); });
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;
    }
  }
}

void MountServer::Answer(int connection) const {
  const UniqueFd owned(connection);
  const auto request = ReceiveDriverRequest(connection, kRequestTimeout);
  SendDriverReply(connection, request.ok() ? handler_(*request) : Result<DriverReply>(request.error()))
      .IgnoreError("the command that asked has gone");
}

}  // namespace varve
