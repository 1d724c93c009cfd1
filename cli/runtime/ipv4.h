#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cached/base/result.h"

namespace varve {

using Ipv4Address = std::uint32_t;  // its first byte is the highest

std::string AddressText(Ipv4Address address);
// kInvalidArgument unless it is four numbers with dots.
Result<Ipv4Address> ParseAddress(const std::string& text);

// The addresses that begin with the same `prefix` bits.
struct Ipv4Range {
  Ipv4Address first = 0;
  int prefix = 0;

  Ipv4Address last() const { return first | static_cast<Ipv4Address>(0xFFFFFFFFull >> prefix); }
  bool Contains(Ipv4Address address) const { return first <= address && address <= last(); }
  bool Overlaps(const Ipv4Range& other) const { return first <= other.last() && other.first <= last(); }
};

std::string RangeText(const Ipv4Range& range);  // "10.64.0.0/20"
// Of any address of the range, as docker takes it. kInvalidArgument.
Result<Ipv4Range> ParseRange(const std::string& text);

// What the routing table (/proc/net/route) sends somewhere in particular: its default route is left out.
std::vector<Ipv4Range> ParseRoutes(std::string_view table);

}  // namespace varve
