#pragma once

#include <string_view>

#include "cached/base/result.h"
#include "cli/runtime/mounts.h"
#include "cli/runtime/storage.h"

// docker's three ways to say what a container mounts. All are kInvalidArgument for what cannot be meant.

namespace varve {

// "[SOURCE:]CONTAINER[:OPTION,...]": a SOURCE with a slash in front, or a dot, is a directory of the host, any other is
// a volume's name; without one the volume has no name. Options: ro, rw, nocopy, private, rprivate, slave, rslave
// (rprivate unless named), z, Z, cached, delegated and consistent, which mean nothing here. kUnimplemented for shared.
Result<ContainerMount> ParseVolume(std::string_view spec);

// "KEY[=VALUE],..." as a line of CSV: type (volume, bind, tmpfs, image), source or src, target, dst or destination,
// readonly or ro, consistency, bind-propagation, bind-nonrecursive, volume-nocopy, volume-label, volume-driver (local),
// tmpfs-size, tmpfs-mode. kNotFound if the source of a bind mount is missing.
Result<ContainerMount> ParseMount(std::string_view spec);

// "PATH[:OPTION,...]": noexec, nosuid and nodev unless exec, suid or dev are named; ro, rw, size=, mode=, uid=, gid=,
// nr_inodes=, nr_blocks=.
Result<ContainerMount> ParseTmpfs(std::string_view spec);

// docker's rule for the names of volumes, which are names of directories too.
Status CheckVolumeName(std::string_view name);

// The runtime's part of it.
Mount ToRuntimeMount(const ContainerMount& mount);

}  // namespace varve
