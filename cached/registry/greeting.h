#pragma once

#include <string>

#include "cached/registry/http_transport.h"

namespace varve {

inline constexpr std::string_view kUserAgent = "User-Agent: varve/" VARVE_VERSION;

struct Greeting {
  std::string base_url;  // "https://registry-1.docker.io"
  HttpAnswer response;
};

// Asks the registry of `domain` for /v2/ and so finds out how it is spoken to: https; http first for loopback hosts;
// https without checks, then http, when TLS verification is skipped. Errors do not name the registry.
Result<Greeting> Greet(HttpTransport& transport, const std::string& domain, const ConnectionOptions& connection,
                       const CancelToken& cancel);

}  // namespace varve
