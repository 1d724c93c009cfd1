#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cached/base/fs.h"
#include "cached/base/segmented_vector.h"
#include "cached/tree/layer_index.h"
#include "cached/tree/path.h"

// The tree that a merge works on, in memory. Internal to cached/tree.
namespace varve {

// What a name stands for. Layers are numbered from 1, the lowest; number 0 means a directory of the merged tree.
struct MergedNode {
  std::uint32_t layer = 0;
  std::uint32_t ordinal = 0;  // of the layer's inodes, or of the tree's directories

  bool operator==(const MergedNode&) const = default;
  bool is_directory() const { return layer == 0; }
};

struct MergedChild {
  std::string_view name;  // a view of a layer index
  MergedNode node;
};

struct MergedDirectory {
  std::vector<MergedChild> children;  // sorted by name
  MergedNode attributes;  // the layer's directory that has the last word; layer 0 if no layer has it explicitly
  std::uint32_t parent = 0;
  std::string_view name;
};

class MergedTree {
 public:
  static constexpr std::uint32_t kRoot = 0;

  // Views of `layers`, which must outlive the tree.
  explicit MergedTree(std::span<const LayerIndex> layers) : layers_(layers) { directories_.emplace_back(); }

  MergedDirectory& directory(std::uint32_t i) { return directories_[i]; }
  const fb::Inode& inode(MergedNode file) const { return layers_[file.layer - 1].inodes()[file.ordinal]; }

  MergedChild* Find(std::uint32_t directory, std::string_view name);
  // A directory that is in no other yet.
  std::uint32_t AddDirectory(std::uint32_t parent, std::string_view name, MergedNode attributes);
  // Puts `child` where its name belongs; there must be none of that name.
  void Insert(std::uint32_t directory, const MergedChild& child);

  std::vector<std::string_view> PathOf(std::uint32_t directory) const;
  // Errors say "path: …".
  Result<std::vector<ResolvedName>> Resolve(std::span<const std::string_view> path);

  // The image index, written to `file`, which is empty.
  Status Write(File& file) const;

 private:
  class Writer;
  PathStep Step(std::uint32_t directory, std::string_view name);

  const std::span<const LayerIndex> layers_;
  SegmentedVector<MergedDirectory> directories_;  // some are in no other any more
};

}  // namespace varve
