#include "cached/http/listen_address.h"

#include <fmt/core.h>

#include <boost/asio/ip/address.hpp>
#include <charconv>

namespace varve {

Result<ListenAddress> ListenAddress::Parse(std::string_view text) {
  const Error malformed(Code::kInvalidArgument,
                        fmt::format("{}: not an address to listen at (127.0.0.1:5000, [::1]:5000, or :5000 for every "
                                    "address of the machine)",
                                    text));
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return malformed;
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const bool brackets = host.starts_with('[') && host.ends_with(']');
  if (brackets) host = host.substr(1, host.size() - 2);
  ListenAddress address{.host = std::string(host)};
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size()) return malformed;
  if (host.empty() && !brackets) return address;
  boost::system::error_code no_address;
  const auto ip = boost::asio::ip::make_address(address.host, no_address);
  if (no_address || ip.is_v6() != brackets) return malformed;
  return address;
}

bool ListenAddress::loopback() const {
  boost::system::error_code no_address;
  return boost::asio::ip::make_address(host, no_address).is_loopback() && !no_address;
}

std::string ListenAddress::text() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

}  // namespace varve
