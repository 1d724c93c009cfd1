#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cached/base/result.h"

namespace varve {

// Where a server listens: "127.0.0.1:5000", "[::1]:5000", or ":5000" for every address of the machine. Port 0 is any
// free one.
struct ListenAddress {
  std::string host = {};  // an IP address; empty: every one
  std::uint16_t port = 0;

  // kInvalidArgument for anything else; names are not resolved.
  static Result<ListenAddress> Parse(std::string_view text);
  bool loopback() const;  // reached from this machine only
  std::string text() const;
};

}  // namespace varve
