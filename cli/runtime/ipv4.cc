#include "cli/runtime/ipv4.h"

#include <arpa/inet.h>
#include <fmt/core.h>

#include <bit>
#include <charconv>
#include <sstream>

namespace varve {

std::string AddressText(Ipv4Address address) {
  return fmt::format("{}.{}.{}.{}", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
}

Result<Ipv4Address> ParseAddress(const std::string& text) {
  in_addr address{};
  if (::inet_pton(AF_INET, text.c_str(), &address) == 1) return Ipv4Address{ntohl(address.s_addr)};
  return Error(Code::kInvalidArgument, fmt::format("'{}' is not an IPv4 address", text));
}

std::string RangeText(const Ipv4Range& range) { return fmt::format("{}/{}", AddressText(range.first), range.prefix); }

Result<Ipv4Range> ParseRange(const std::string& text) {
  const std::size_t slash = text.find('/');
  const Result<Ipv4Address> address = ParseAddress(text.substr(0, slash));
  Ipv4Range range;
  if (address.ok() && slash != std::string::npos) {
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + slash + 1, end, range.prefix);
    if (error == std::errc() && rest == end && range.prefix >= 0 && range.prefix <= 32) {
      range.first = *address & ~(range.last());
      return range;
    }
  }
  return Error(Code::kInvalidArgument, fmt::format("'{}' is not an IPv4 subnet, such as 10.1.2.0/24", text));
}

// Columns are Iface Destination Gateway Flags RefCnt Use Metric Mask …, addresses in hex as they lie in memory.
std::vector<Ipv4Range> ParseRoutes(std::string_view table) {
  constexpr std::size_t kDestination = 1, kMask = 7;
  std::vector<Ipv4Range> ranges;
  std::istringstream lines{std::string(table)};
  std::string line;
  std::getline(lines, line);  // the names of the columns
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    std::string field;
    std::uint32_t destination = 0, mask = 0;
    for (std::size_t n = 0; n <= kMask && fields >> field; ++n) {
      if (n == kDestination) std::from_chars(field.data(), field.data() + field.size(), destination, 16);
      if (n == kMask) std::from_chars(field.data(), field.data() + field.size(), mask, 16);
    }
    if (mask != 0) ranges.push_back({ntohl(destination), std::popcount(mask)});
  }
  return ranges;
}

}  // namespace varve
