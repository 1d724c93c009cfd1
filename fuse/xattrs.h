#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "fuse/image_registry.h"

namespace varve {

// The extended attributes of a node, but for those that overlayfs would take for its own: an image must not steer the
// overlay that a container puts on top of it.
std::optional<std::string_view> FindXattr(const Node& node, std::string_view name);
// Their names, each with a NUL behind it, as listxattr gives them.
std::string ListXattrs(const Node& node);

}  // namespace varve
