#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "cached/base/fs.h"
#include "cached/base/segmented_vector.h"
#include "cached/tree/layer_tables.h"

// A layer as its builder leaves it, and what becomes of it. Internal to cached/tree.
namespace varve {

// One name of one directory. kNothing is there only for the whiteout of its name.
struct DraftName {
  enum class Target : std::uint8_t { kNothing, kInode, kLowerLink };
  std::uint32_t directory;
  std::uint32_t text;
  std::uint32_t target = 0;
  std::uint8_t text_length;
  Target kind = Target::kNothing;
  bool hides_below = false;  // a whiteout, or an entry that was replaced
};

struct LayerDraft {
  static constexpr std::uint32_t kRoot = 0;

  SegmentedVector<DraftName> names;   // some lead to what was replaced
  SegmentedVector<fb::Inode> inodes;  // directories: first and count unused; nlink is 0 in all
  SegmentedVector<fb::Extent> extents;
  std::vector<fb::PoolRange> lower_links;
  LayerTables tables;

  std::string_view Text(const DraftName& name) const { return tables.Text(name.text, name.text_length); }
  // Of what grows with the layer, its slots in hash tables left out.
  std::size_t size_bytes() const {
    return names.size() * sizeof(DraftName) + inodes.size() * sizeof(fb::Inode) + extents.size() * sizeof(fb::Extent) +
           lower_links.size() * sizeof(fb::PoolRange) + tables.size_bytes();
  }
  bool IsDirectory(const DraftName& name) const {
    return name.kind == DraftName::Target::kInode && S_ISDIR(inodes[name.target].mode());
  }
};

// The index of what the root's names lead to, written to `file`, which is empty. kResourceExhausted if a FlatBuffer
// cannot hold it, and the errors of `file`.
Status WriteLayerIndex(LayerDraft draft, File& file, const Digest& diff_id, std::uint64_t tar_bytes);

}  // namespace varve
