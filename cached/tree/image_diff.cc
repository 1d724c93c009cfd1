#include "cached/tree/image_diff.h"

#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "cached/base/check.h"
#include "cached/tree/path.h"

namespace varve {
namespace {

// What a name of an image stands for.
struct Node {
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t device = 0;
  std::uint64_t size = 0;
  const LayerIndex* layer = nullptr;          // whose extended attributes and content; of a directory maybe none
  const fb::Inode* inode = nullptr;           // of `layer`
  const fb::ImageInode* directory = nullptr;  // of the image

  bool is(std::uint32_t type) const { return (mode & S_IFMT) == type; }
};

Node OwnNode(const IndexedImage& image, std::uint32_t ordinal) {
  const fb::ImageInode& own = image.index.inodes()[ordinal];
  Node node{.mode = own.mode(),
            .uid = own.uid(),
            .gid = own.gid(),
            .device = own.device(),
            .size = own.size(),
            .layer = nullptr,
            .inode = nullptr,
            .directory = nullptr};
  if (own.layer() != 0) {
    node.layer = &image.layers[own.layer() - 1];
    node.inode = &node.layer->inodes()[own.ordinal()];
  }
  if (node.is(S_IFDIR)) node.directory = &own;
  return node;
}

Node NodeOf(const IndexedImage& image, const fb::ImageEntry& entry) {
  if (entry.layer() == kOwnInode) return OwnNode(image, entry.ordinal());
  const LayerIndex& layer = image.layers[entry.layer() - 1];
  const fb::Inode& inode = layer.inodes()[entry.ordinal()];
  return {.mode = inode.mode(),
          .uid = inode.uid(),
          .gid = inode.gid(),
          .device = inode.device(),
          .size = inode.size(),
          .layer = &layer,
          .inode = &inode,
          .directory = nullptr};
}

bool SameContent(const Node& a, const Node& b) {
  const std::size_t extents = a.layer->extent_count(*a.inode);
  if (a.size != b.size || extents != b.layer->extent_count(*b.inode)) return false;
  for (std::size_t i = 0; i < extents; ++i) {
    const fb::Extent left = a.layer->extent(*a.inode, i);
    const fb::Extent right = b.layer->extent(*b.inode, i);
    if (left.offset() != right.offset() || left.length() != right.length() ||
        DigestOf(a.layer->chunks()[left.chunk()].sha256()) != DigestOf(b.layer->chunks()[right.chunk()].sha256()))
      return false;
  }
  return true;
}

std::span<const fb::Xattr> XattrsOf(const Node& node) {
  return node.layer == nullptr ? std::span<const fb::Xattr>() : node.layer->xattrs(*node.inode);
}

bool SameXattrs(const Node& a, const Node& b) {
  if (a.layer == nullptr || b.layer == nullptr) return XattrsOf(a).empty() && XattrsOf(b).empty();
  return std::ranges::equal(XattrsOf(a), XattrsOf(b), [&](const fb::Xattr& left, const fb::Xattr& right) {
    return a.layer->xattr_name(left) == b.layer->xattr_name(right) &&
           a.layer->xattr_value(left) == b.layer->xattr_value(right);
  });
}

bool Same(const Node& a, const Node& b) {
  if (a.mode != b.mode || a.uid != b.uid || a.gid != b.gid || a.device != b.device) return false;
  if (a.inode != nullptr && a.inode == b.inode) return true;  // the same layer's same file
  if (!SameXattrs(a, b)) return false;
  if (a.is(S_IFREG)) return SameContent(a, b);
  return !a.is(S_IFLNK) || a.layer->symlink_target(*a.inode) == b.layer->symlink_target(*b.inode);
}

// Nothing if the image has no such path. Symlinks are not followed.
std::optional<Node> Find(const IndexedImage& image, std::span<const std::string_view> names) {
  Node node = OwnNode(image, 0);
  for (const std::string_view name : names) {
    const fb::ImageEntry* entry = node.directory == nullptr ? nullptr : image.index.Find(*node.directory, name);
    if (entry == nullptr) return std::nullopt;
    node = NodeOf(image, *entry);
  }
  return node;
}

class Comparison {
 public:
  Comparison(const IndexedImage& from, const IndexedImage& to, const std::function<Status(const PathChange&)>& each)
      : from_(from), to_(to), each_(each) {}

  // What `path` stands for in both images; in one of them at least. The depth of an image is bounded (kDepthMax).
  Status Compare(const std::optional<Node>& before, const std::optional<Node>& after, const std::string& path) {
    VARVE_CHECK(before || after);
    if (!after) return Tell(PathChange::Kind::kDeleted, path, *before);
    if (!before) {
      VARVE_RETURN_IF_ERROR(Tell(PathChange::Kind::kAdded, path, *after));
    } else if (!Same(*before, *after)) {
      VARVE_RETURN_IF_ERROR(Tell(PathChange::Kind::kChanged, path, *after));
    }
    if (after->directory == nullptr) return Ok();
    return CompareEntries(before && before->directory ? from_.index.entries(*before->directory) : Entries(),
                          to_.index.entries(*after->directory), path);
  }

 private:
  using Entries = std::span<const fb::ImageEntry>;

  Status Tell(PathChange::Kind kind, const std::string& path, const Node& node) {
    return each_({kind, path.empty() ? "/" : path, node.is(S_IFREG) ? node.size : 0});
  }

  // Both are sorted by name.
  Status CompareEntries(Entries before, Entries after, const std::string& path) {
    while (!before.empty() || !after.empty()) {
      const std::string_view left = before.empty() ? std::string_view() : from_.index.name(before.front());
      const std::string_view right = after.empty() ? std::string_view() : to_.index.name(after.front());
      const bool has_left = !before.empty() && (after.empty() || left <= right);
      const bool has_right = !after.empty() && (before.empty() || right <= left);
      std::optional<Node> old_node, new_node;
      if (has_left) old_node = NodeOf(from_, before.front());
      if (has_right) new_node = NodeOf(to_, after.front());
      VARVE_RETURN_IF_ERROR(Compare(old_node, new_node, path + "/" + std::string(has_left ? left : right)));
      if (has_left) before = before.subspan(1);
      if (has_right) after = after.subspan(1);
    }
    return Ok();
  }

  const IndexedImage& from_;
  const IndexedImage& to_;
  const std::function<Status(const PathChange&)>& each_;
};

}  // namespace

Status DiffImages(const IndexedImage& from, const IndexedImage& to, std::string_view path,
                  const std::function<Status(const PathChange&)>& each) {
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string_view> names, SplitPath(path));
  const std::optional<Node> before = Find(from, names);
  const std::optional<Node> after = Find(to, names);
  std::string from_root;
  for (const std::string_view name : names) from_root += "/" + std::string(name);
  if (!before && !after) return Error(Code::kNotFound, from_root + ": no such path in either image");
  return Comparison(from, to, each).Compare(before, after, from_root);
}

}  // namespace varve
