#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cached/base/segmented_vector.h"
#include "cached/tree/layer_index.h"
#include "cached/tree/ordinal_set.h"

namespace varve {

// The parts of a layer index that inodes share: texts, xattr sets and chunks. Internal to cached/tree.
class LayerTables {
 public:
  LayerTables(std::uint32_t pool_bytes_max, std::uint64_t seed) : pool_bytes_max_(pool_bytes_max), seed_(seed) {}

  // Good until the next text is added.
  std::string_view Text(std::uint32_t first, std::uint32_t length) const {
    return std::string_view(pool).substr(first, length);
  }
  // Where it begins. kResourceExhausted beyond `pool_bytes_max`.
  Result<std::uint32_t> AddText(std::string_view text);
  // What Inode.xattr_set says: 0 for none, else a set, shared with all inodes that have the same. kInvalidArgument for
  // an xattr that Linux would not take.
  Result<std::uint32_t> AddXattrs(const std::map<std::string, std::string>& added);
  std::uint32_t AddChunk(const Digest& sha256, std::uint32_t raw_length);
  std::size_t size_bytes() const {
    return pool.size() + xattr_sets.size() * sizeof(fb::XattrSet) + xattrs.size() * sizeof(fb::Xattr) +
           chunks.size() * sizeof(fb::Chunk);
  }
  // Frees what only adding needs.
  void Close() { sets_by_hash_ = chunks_by_digest_ = {}; }

  std::string pool;
  std::vector<fb::XattrSet> xattr_sets;
  std::vector<fb::Xattr> xattrs;
  SegmentedVector<fb::Chunk> chunks;

 private:
  bool IsSet(std::uint32_t set, const std::map<std::string, std::string>& wanted) const;

  std::uint32_t pool_bytes_max_;
  std::uint64_t seed_;
  OrdinalSet sets_by_hash_;
  std::vector<std::uint64_t> set_hashes_;
  OrdinalSet chunks_by_digest_;
};

}  // namespace varve
