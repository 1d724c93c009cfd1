#pragma once

#include <string>
#include <vector>

#include "cached/base/fd.h"
#include "cached/base/result.h"
#include "cli/runtime/endpoint.h"
#include "cli/runtime/networks.h"
#include "cli/runtime/room.h"

// What joins containers and networks (docs/design/networks.md).

namespace varve {

NetworkRoom NetworksOf(const ContainerRoom& room);

struct Connection {
  UniqueFd network_namespace;   // the one that the container runs in; invalid if none was made for it
  std::vector<UniqueFd> ports;  // of the host: somebody has to hold them as long as it runs (ports.h)
};

// The options with names of networks and containers resolved, and with what the image exposes. kNotFound;
// kInvalidArgument if they cannot be meant.
Result<NetworkOptions> ResolveNetwork(const ContainerRoom& room, NetworkOptions options,
                                      const std::vector<std::string>& exposed_by_image);

// Before a container runs. The caller has its lock, and it is not connected. After an error, Disconnect has to follow.
Result<Connection> Connect(const ContainerRoom& room, const ContainerRecord& record);
// In the mount namespace that the container is about to have: shows the network namespace where config.json says.
Status ShowNamespace(const Connection& connection, const std::string& bundle);
inline constexpr const char* kNamespaceInBundle = "/netns";

// When nothing of it runs any more: gives back addresses, ports and rules. OK if it was not connected. The caller has
// its lock.
Status Disconnect(const ContainerRoom& room, const std::string& id);

struct Member {
  ContainerRecord record;
  Endpoint endpoint;
};
// The containers that are connected with a network.
Result<std::vector<Member>> MembersOf(const ContainerRoom& room, const Network& network);
// With what the host has of it. kFailedPrecondition if it has members, kPermissionDenied if it is predefined.
Status RemoveNetwork(const ContainerRoom& room, const std::string& name);

// Removes what the host has of networks, when no container lives. The next one that is started makes it anew.
Status TakeDownNetworks(const ContainerRoom& room);

}  // namespace varve
