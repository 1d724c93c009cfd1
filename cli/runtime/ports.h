#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cached/base/fd.h"
#include "cached/base/result.h"
#include "cli/runtime/endpoint.h"
#include "cli/runtime/network_options.h"

namespace varve {

// A port of a container that is to be reached by one of the host's.
struct PortRequest {
  std::string host_address = "0.0.0.0";
  std::uint16_t host_first = 0;  // the first that is free of these, both included; 0: of all
  std::uint16_t host_last = 0;
  std::uint16_t container_port = 0;
  std::string protocol = "tcp";
};

// "[ADDRESS:][[FIRST[-LAST]]:]PORT[-LAST][/tcp|/udp]", docker's: two ranges of one length pair up, a range of the
// host's for one port means any of it. kInvalidArgument.
Result<std::vector<PortRequest>> ParsePublish(const std::string& text);
// "PORT[-LAST][/tcp|/udp]" as "80/tcp", one by one. kInvalidArgument.
Result<std::vector<std::string>> ParseExpose(const std::string& text);
// What the options and the image expose, one by one, sorted. Of the image's what is not understood is left out, and
// what is beyond the limit; of the options' that is kInvalidArgument.
Result<std::vector<std::string>> ExposedPorts(const std::vector<std::string>& asked,
                                              const std::vector<std::string>& by_image);
inline constexpr std::size_t kExposedPortsMax = 4096;
// All that the options publish. kInvalidArgument.
inline constexpr std::size_t kPublishedPortsMax = 512;  // each costs a descriptor and rules
Result<std::vector<PortRequest>> RequestedPorts(const NetworkOptions& options);

// Ports of the host that nobody else gets, by whatever program, while the sockets are open. Nobody answers on them: the
// firewall passes on what comes before it reaches them.
struct HeldPorts {
  std::vector<PublishedPort> ports;
  std::vector<UniqueFd> sockets;
};
// kFailedPrecondition if one is taken.
Result<HeldPorts> HoldPorts(const std::vector<PortRequest>& requests);

}  // namespace varve
