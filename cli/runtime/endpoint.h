#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cached/base/result.h"
#include "cli/runtime/networks.h"

namespace varve {

// A port of the host from which connections are passed on to a container.
struct PublishedPort {
  std::string host_address;  // "0.0.0.0": any of the host's
  std::uint16_t host_port = 0;
  std::uint16_t container_port = 0;
  std::string protocol;  // "tcp" or "udp"
};

// How a container is connected with a network that networks.h keeps: what has to be undone at its end, and what can be
// said of it until then. It stands in network.json in the container's directory from before the first thing is done
// until after the last is undone, so that nothing leaks when somebody is killed in between.
struct Endpoint {
  Network network;
  Ipv4Address address = 0;  // 0: it has none yet
  std::string mac;          // "0a:58:…"
  std::vector<PublishedPort> ports;
};

// `directory` is the container's. Nothing if it is not connected.
Result<std::optional<Endpoint>> ReadEndpoint(const std::string& directory);
Status WriteEndpoint(const std::string& directory, const Endpoint& endpoint);
Status ForgetEndpoint(const std::string& directory);
// Cheaper than reading it.
bool HasEndpoint(const std::string& directory);

}  // namespace varve
