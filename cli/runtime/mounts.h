#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cached/base/result.h"

namespace varve {

// One entry of "mounts" in an OCI runtime configuration.
struct Mount {
  std::string destination;  // absolute, normalised
  std::string type;
  std::string source;
  std::vector<std::string> options;
};

// /proc, /dev and what else docker mounts in every container, in order.
std::vector<Mount> DefaultMounts();

// "HOST:CONTAINER[:OPTION,...]" with absolute paths; options ro, rw, private, rprivate, slave, rslave (rprivate unless
// named) and z, Z, which mean something to SELinux alone. kUnimplemented for what docker knows and we do not yet:
// named, anonymous and shared volumes.
Result<Mount> ParseVolume(std::string_view spec);

// "PATH[:OPTION,...]": noexec, nosuid and nodev unless exec, suid or dev are named; ro, rw, size=, mode=, uid=, gid=,
// nr_inodes=, nr_blocks=.
Result<Mount> ParseTmpfs(std::string_view spec);

// The mounts of one container: a parent before what lies below it, and `asked` instead of the `own` with the same
// destination. kInvalidArgument if two of `asked` have one destination.
Result<std::vector<Mount>> ArrangeMounts(std::vector<Mount> own, const std::vector<Mount>& asked);

// Makes the directory of each bind mount whose source does not exist, as docker does: root's, 0755.
Status MakeMissingSources(const std::vector<Mount>& mounts);

}  // namespace varve
