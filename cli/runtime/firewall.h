#pragma once

#include "cached/base/result.h"
#include "cli/runtime/networks.h"

// What iptables has to know of a network, once for all its containers (docs/design/networks.md): that what they send to
// elsewhere looks as if the host had sent it, and what may pass between them, other networks and the world.

namespace varve {

// Replaces what is there of this network. kFailedPrecondition says how to get iptables.
Status SetRules(const Network& network);
// It is no error if nothing is there.
Status DropRules(const Network& network);

}  // namespace varve
