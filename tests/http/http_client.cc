#include "tests/http/http_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "cached/base/check.h"

namespace varve {
namespace {

constexpr int kPatienceMs = 10'000;

bool Ready(int fd, short events, int timeout_ms) {
  pollfd poll{.fd = fd, .events = events, .revents = 0};
  return ::poll(&poll, 1, timeout_ms) == 1;
}

}  // namespace

HttpClient::HttpClient(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  fd_.Reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
  VARVE_CHECK(::inet_pton(AF_INET, address.substr(0, colon).c_str(), &peer.sin_addr) == 1);
  VARVE_CHECK(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)) == 0);
}

HttpClient& HttpClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) break;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return *this;
}

std::size_t HttpClient::SendWhatIsTaken(std::string_view bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size() && Ready(fd_.get(), POLLOUT, 300)) {
    const ssize_t n = ::send(fd_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) sent += static_cast<std::size_t>(n);
  }
  return sent;
}

bool HttpClient::Fill() {
  if (!Ready(fd_.get(), POLLIN, kPatienceMs)) {
    ADD_FAILURE() << "nothing came from the server";
    return false;
  }
  std::array<char, 65536> buffer;
  const ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
  if (n > 0) received_.append(buffer.data(), static_cast<std::size_t>(n));
  return n > 0;
}

RawResponse HttpClient::ReceiveHead() {
  RawResponse response;
  std::size_t end = 0;
  while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) return response;
  }
  std::string_view head(received_.data(), end + 2);
  response.status = std::stoi(std::string(head.substr(9, 3)));
  while (true) {
    head.remove_prefix(head.find("\r\n") + 2);
    if (head.empty()) break;
    const std::string_view line = head.substr(0, head.find("\r\n"));
    const std::size_t colon = line.find(": ");
    response.fields.emplace(line.substr(0, colon), line.substr(colon + 2));
  }
  received_.erase(0, end + 4);
  return response;
}

RawResponse HttpClient::Receive() {
  RawResponse response = ReceiveHead();
  const auto length = response.fields.find("Content-Length");
  const std::size_t bytes = length == response.fields.end() ? 0 : std::stoul(length->second);
  while (received_.size() < bytes) {
    if (Fill()) continue;
    response.status = 0;
    break;
  }
  response.body = received_.substr(0, bytes);
  received_.erase(0, bytes);
  return response;
}

bool HttpClient::ReceivesEnd() { return received_.empty() && !Fill() && received_.empty(); }

bool HttpClient::ReadableWithin(int timeout_ms) { return Ready(fd_.get(), POLLIN, timeout_ms); }

void HttpClient::ShutdownWrites() { ::shutdown(fd_.get(), SHUT_WR); }

std::string Get(std::string_view target) { return "GET " + std::string(target) + " HTTP/1.1\r\nHost: here\r\n\r\n"; }

}  // namespace varve
