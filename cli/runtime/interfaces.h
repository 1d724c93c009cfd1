#pragma once

#include <string>

#include "cached/base/fd.h"
#include "cached/base/result.h"

namespace varve {

// A new network namespace in which nothing but loopback is, and that is up. It lives as long as this or a process in
// it.
Result<UniqueFd> NewNetworkNamespace();

bool InterfaceExists(const std::string& name);
// OK if it is not there.
Status RemoveBridge(const std::string& name);

}  // namespace varve
