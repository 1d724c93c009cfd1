#include "tests/registry/loopback_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "cached/base/check.h"

namespace varve {
namespace {

bool IsWhole(std::string_view request) {
  if (request.find("chunked") != std::string_view::npos) return request.ends_with("\r\n0\r\n\r\n");
  return request.find("\r\n\r\n") != std::string_view::npos;
}

// The head, and a body that comes in chunks.
std::string ReadRequest(int fd) {
  std::string request;
  while (!IsWhole(request)) {
    char buffer[4096];
    const ssize_t n = ::recv(fd, buffer, sizeof(buffer), 0);
    if (n <= 0) break;
    request.append(buffer, static_cast<std::size_t>(n));
  }
  return request;
}

void WaitForTheClient(int fd) {
  char buffer[4096];
  while (::recv(fd, buffer, sizeof(buffer), 0) > 0) continue;
}

}  // namespace

LoopbackServer::LoopbackServer(std::function<Reply(const std::string&)> answer) : answer_(std::move(answer)) {
  listener_.Reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  VARVE_CHECK(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  VARVE_CHECK(::listen(listener_.get(), 16) == 0);
  VARVE_CHECK(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

LoopbackServer::~LoopbackServer() {
  ::shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
}

std::string LoopbackServer::url() const { return "http://127.0.0.1:" + std::to_string(port_); }

std::vector<std::string> LoopbackServer::requests() {
  MutexLock lock(mutex_);
  return requests_;
}

void LoopbackServer::Serve() {
  for (;;) {
    const UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection.valid()) return;
    const std::string request = ReadRequest(connection.get());
    {
      MutexLock lock(mutex_);
      requests_.push_back(request);
    }
    const Reply reply = answer_(request);
    ::send(connection.get(), reply.bytes.data(), reply.bytes.size(), MSG_NOSIGNAL);
    if (reply.then == Then::kWaitForTheClient) WaitForTheClient(connection.get());
  }
}

}  // namespace varve
