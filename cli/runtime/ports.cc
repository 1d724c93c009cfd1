#include "cli/runtime/ports.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <set>

namespace varve {
namespace {

struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  int size() const { return last - first + 1; }
};

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  std::uint16_t port = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || rest != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

std::optional<PortRange> ParsePorts(std::string_view text) {
  const std::size_t dash = std::min(text.find('-'), text.size());
  const std::optional<std::uint16_t> first = ParsePort(text.substr(0, dash));
  const std::optional<std::uint16_t> last = dash == text.size() ? first : ParsePort(text.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  return PortRange{*first, *last};
}

Error Invalid(const std::string& text, std::string_view why) {
  return Error(Code::kInvalidArgument, fmt::format("invalid port '{}': {}", text, why));
}

// Takes "/tcp" or "/udp" off the end.
Result<std::string> TakeProtocol(const std::string& text, std::string_view& rest) {
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return std::string("tcp");
  std::string protocol(rest.substr(slash + 1));
  std::ranges::transform(protocol, protocol.begin(), [](unsigned char c) { return std::tolower(c); });
  if (protocol != "tcp" && protocol != "udp") return Invalid(text, "its protocol is neither tcp nor udp");
  rest = rest.substr(0, slash);
  return protocol;
}

Result<UniqueFd> Hold(const std::string& address, std::uint16_t port, const std::string& protocol) {
  const bool tcp = protocol == "tcp";
  UniqueFd held(::socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0));
  if (!held.valid()) return ErrnoError(errno, "socket");
  const int yes = 1;
  // What is left of connections of the port's last owner does not matter; a listener of today's does.
  if (tcp && ::setsockopt(held.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0)
    return ErrnoError(errno, "SO_REUSEADDR");
  sockaddr_in name{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {}, .sin_zero = {}};
  VARVE_ASSIGN_OR_RETURN(const Ipv4Address host, ParseAddress(address));
  name.sin_addr.s_addr = htonl(host);
  if (::bind(held.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) == 0 &&
      (!tcp || ::listen(held.get(), 0) == 0))
    return held;
  if (errno != EADDRINUSE) return ErrnoError(errno, fmt::format("port {}:{}/{}", address, port, protocol));
  return Error(
      Code::kFailedPrecondition,
      fmt::format("port {}:{}/{} is already allocated: another container or program has it", address, port, protocol));
}

Result<std::uint16_t> PortOf(const UniqueFd& socket) {
  sockaddr_in name{};
  socklen_t size = sizeof(name);
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &size) != 0)
    return ErrnoError(errno, "getsockname");
  return std::uint16_t{ntohs(name.sin_port)};
}

}  // namespace

Result<std::vector<PortRequest>> ParsePublish(const std::string& text) {
  std::string_view rest = text;
  PortRequest request;
  VARVE_ASSIGN_OR_RETURN(request.protocol, TakeProtocol(text, rest));
  std::string_view host;
  if (const std::size_t colon = rest.rfind(':'); colon != std::string_view::npos) {
    host = rest.substr(0, colon);
    rest = rest.substr(colon + 1);
  }
  if (const std::size_t colon = host.rfind(':'); colon != std::string_view::npos) {
    request.host_address = host.substr(0, colon);
    host = host.substr(colon + 1);
    if (!ParseAddress(request.host_address).ok()) return Invalid(text, "its address is not an IPv4 address");
  }
  if (host == "0") host = {};  // any
  const std::optional<PortRange> inside = ParsePorts(rest);
  if (!inside) return Invalid(text, "the container's port is no number from 1 to 65535, or range of these");
  const std::optional<PortRange> outside = host.empty() ? PortRange{} : ParsePorts(host);
  if (!outside) return Invalid(text, "the host's port is no number from 1 to 65535, or range of these");
  const bool any_of = inside->size() == 1;
  if (!host.empty() && !any_of && outside->size() != inside->size())
    return Invalid(text, "the ranges of the host and the container differ in length");
  std::vector<PortRequest> requests;
  for (int n = 0; n < inside->size(); ++n) {
    request.container_port = static_cast<std::uint16_t>(inside->first + n);
    request.host_first = host.empty() ? std::uint16_t{0} : static_cast<std::uint16_t>(outside->first + n);
    request.host_last = any_of ? outside->last : request.host_first;
    requests.push_back(request);
  }
  return requests;
}

Result<std::vector<std::string>> ParseExpose(const std::string& text) {
  std::string_view rest = text;
  VARVE_ASSIGN_OR_RETURN(const std::string protocol, TakeProtocol(text, rest));
  const std::optional<PortRange> range = ParsePorts(rest);
  if (!range) return Invalid(text, "it is no number from 1 to 65535, or range of these");
  std::vector<std::string> ports;
  ports.reserve(static_cast<std::size_t>(range->size()));
  for (int n = 0; n < range->size(); ++n) ports.push_back(fmt::format("{}/{}", range->first + n, protocol));
  return ports;
}

Result<std::vector<std::string>> ExposedPorts(const std::vector<std::string>& asked,
                                              const std::vector<std::string>& by_image) {
  std::set<std::string> exposed;
  const auto add = [&](const std::string& text) -> Status {
    VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> ports, ParseExpose(text));
    if (exposed.size() + ports.size() > kExposedPortsMax)
      return Invalid(text, fmt::format("with it more than {} are exposed", kExposedPortsMax));
    exposed.insert(ports.begin(), ports.end());
    return Ok();
  };
  for (const std::string& text : asked) VARVE_RETURN_IF_ERROR(add(text));
  for (const std::string& text : by_image) add(text).IgnoreError("nobody here has asked for it");
  return std::vector<std::string>(exposed.begin(), exposed.end());
}

Result<std::vector<PortRequest>> RequestedPorts(const NetworkOptions& options) {
  std::vector<PortRequest> requests;
  for (const std::string& text : options.publish) {
    VARVE_ASSIGN_OR_RETURN(const std::vector<PortRequest> parsed, ParsePublish(text));
    requests.insert(requests.end(), parsed.begin(), parsed.end());
  }
  for (const std::string& text : options.publish_all ? options.expose : std::vector<std::string>()) {
    VARVE_ASSIGN_OR_RETURN(const std::vector<PortRequest> parsed, ParsePublish(text));
    const auto published = [&](const PortRequest& request) {
      return request.container_port == parsed[0].container_port && request.protocol == parsed[0].protocol;
    };
    if (std::ranges::none_of(requests, published)) requests.push_back(parsed[0]);
  }
  if (requests.size() > kPublishedPortsMax)
    return Error(Code::kInvalidArgument, fmt::format("more than {} ports to publish", kPublishedPortsMax));
  return requests;
}

Result<HeldPorts> HoldPorts(const std::vector<PortRequest>& requests) {
  HeldPorts held;
  for (const PortRequest& request : requests) {
    Result<UniqueFd> socket = Hold(request.host_address, request.host_first, request.protocol);
    for (int port = request.host_first + 1; !socket.ok() && port <= request.host_last; ++port)
      socket = Hold(request.host_address, static_cast<std::uint16_t>(port), request.protocol);
    if (!socket.ok()) return socket.error();
    VARVE_ASSIGN_OR_RETURN(const std::uint16_t port, PortOf(*socket));
    held.ports.push_back({request.host_address, port, request.container_port, request.protocol});
    held.sockets.push_back(std::move(*socket));
  }
  return held;
}

}  // namespace varve
