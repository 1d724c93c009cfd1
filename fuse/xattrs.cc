#include "fuse/xattrs.h"

namespace varve {
namespace {

bool IsHidden(std::string_view name) {
  return name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.");
}

}  // namespace

std::optional<std::string_view> FindXattr(const Node& node, std::string_view name) {
  if (node.layer == nullptr || IsHidden(name)) return std::nullopt;
  for (const fb::Xattr& xattr : node.layer->index.xattrs(*node.inode)) {
    if (node.layer->index.xattr_name(xattr) == name) return node.layer->index.xattr_value(xattr);
  }
  return std::nullopt;
}

std::string ListXattrs(const Node& node) {
  std::string names;
  if (node.layer == nullptr) return names;
  for (const fb::Xattr& xattr : node.layer->index.xattrs(*node.inode)) {
    const std::string_view name = node.layer->index.xattr_name(xattr);
    if (!IsHidden(name)) names.append(name).push_back('\0');
  }
  return names;
}

}  // namespace varve
