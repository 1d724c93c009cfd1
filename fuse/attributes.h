#pragma once

#include <sys/stat.h>

#include "fuse/image_registry.h"

namespace varve {

inline constexpr std::uint32_t kBlockBytes = 4096;

// What stat shows. The index has one time of each inode, which stands for all three.
struct stat AttributesOf(NodeId id, const Node& node);
struct stat MountRootAttributes();

}  // namespace varve
