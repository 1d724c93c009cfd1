#pragma once

#include <string>
#include <vector>

#include "cached/base/result.h"
#include "cli/runtime/mounts.h"
#include "cli/runtime/options.h"

namespace varve {

// Writes hostname, hosts and resolv.conf into `directory` and returns the bind mounts that show them in /etc. With
// Network::kHost they say what the host's say; with kNone only loopback names exist, and nameservers on the host's
// loopback, which cannot be reached, are left out. `own_name` is a name that /etc/hosts has to know, empty for none.
Result<std::vector<Mount>> WriteEtcFiles(const std::string& directory, const std::string& hostname,
                                         const std::string& own_name, Network network);

// What else programs look for in a container of docker's: /etc/mtab and /.dockerenv, where the image has nothing of
// that name. `root` is the container's writable root.
Status AddDockerMarks(int root);

}  // namespace varve
