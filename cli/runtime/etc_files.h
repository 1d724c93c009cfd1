#pragma once

#include <string>
#include <vector>

#include "cached/base/result.h"
#include "cli/runtime/mounts.h"
#include "cli/runtime/options.h"

namespace varve {

// Writes hostname, hosts and resolv.conf into `directory` and returns the bind mounts that show them in /etc. With
// NetworkKind::kHost they say what the host's say, but for what the options add and replace (name_service.h).
// `own_name` is a name that /etc/hosts has to know, empty for none.
Result<std::vector<Mount>> WriteEtcFiles(const std::string& directory, const std::string& hostname,
                                         const std::string& own_name, const NetworkOptions& network);
// The bind mounts that show what is in the `directory` of another.
std::vector<Mount> MountsOfEtcFiles(const std::string& directory);

// In the file `hosts` of a container that may run: `address` is a host called `names` and `id`, instead of what was
// said of `id` before. What else the container has written there stays.
Status SetHost(const std::string& hosts, const std::string& address, const std::string& names, const std::string& id);
Status DropHost(const std::string& hosts, const std::string& id);

// What else programs look for in a container of docker's: /etc/mtab and /.dockerenv, where the image has nothing of
// that name. `root` is the container's writable root.
Status AddDockerMarks(int root);

}  // namespace varve
