#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "cached/base/bytes.h"
#include "cached/content/digest.h"
#include "cached/tree/index_file.h"
#include "cached/tree/layer_index_generated.h"

namespace varve {

inline constexpr std::uint32_t kInodeImplied =
    1;                                            // a directory that the layer only passes through: no entry of its own
inline constexpr std::uint32_t kInodeOpaque = 2;  // a directory that hides what lower layers have in it
inline constexpr std::uint32_t kInodeOneChunk = 4;  // a file of one chunk, which is its whole content: needs no extent

inline constexpr std::size_t kXattrNameBytesMax = 255;        // Linux's XATTR_NAME_MAX
inline constexpr std::size_t kXattrValueBytesMax = 64 << 10;  // Linux's XATTR_SIZE_MAX
bool IsValidXattr(std::string_view name, std::string_view value);

enum class LayerEntryKind : std::uint8_t { kInode = 0, kWhiteout = 1, kLowerLink = 2 };

inline Digest DigestOf(const fb::Hash& hash) {
  Digest digest;
  std::memcpy(digest.bytes.data(), hash.bytes()->data(), digest.bytes.size());
  return digest;
}
inline fb::Hash HashOf(const Digest& digest) {
  return fb::Hash(
      flatbuffers::span<const std::uint8_t, 32>(reinterpret_cast<const std::uint8_t*>(digest.bytes.data()), 32));
}

// A view of a layer index, usually of a mapped file, which must outlive it. Immutable, thread-safe, a few pointers:
// copy freely. After kFull every index in it is in range and every directory is a tree; accessors do not check again.
class LayerIndex {
 public:
  // kDataLoss naming the invariant that is broken.
  static Result<LayerIndex> Open(ByteSpan file, const Digest& diff_id, IndexCheck check);

  Digest diff_id() const { return DigestOf(*table_->diff_id()); }
  std::uint64_t tar_bytes() const { return table_->tar_bytes(); }
  std::span<const fb::Inode> inodes() const { return inodes_; }
  std::span<const fb::Chunk> chunks() const { return chunks_; }

  // A regular file's content: extents in ascending order, zeros where none is.
  std::size_t extent_count(const fb::Inode& file) const { return IsOneChunk(file) ? 1 : file.count(); }
  fb::Extent extent(const fb::Inode& file, std::size_t i) const {
    return IsOneChunk(file) ? fb::Extent(0, file.first(), static_cast<std::uint32_t>(file.size()))
                            : extents_[file.first() + i];
  }
  // The first extent that ends behind `offset`, by binary search; extent_count if there is none.
  std::size_t FindExtent(const fb::Inode& file, std::uint64_t offset) const;

  std::span<const fb::LayerEntry> entries(const fb::Inode& directory) const {
    return entries_.subspan(directory.first(), directory.count());
  }
  std::string_view name(const fb::LayerEntry& entry) const { return pool_.substr(entry.name(), entry.name_length()); }
  std::string_view symlink_target(const fb::Inode& symlink) const {
    return pool_.substr(symlink.first(), symlink.count());
  }
  // By LayerEntry.target of kLowerLink entries.
  std::size_t lower_link_count() const { return lower_links_.size(); }
  std::string_view lower_link(std::size_t i) const {
    return pool_.substr(lower_links_[i].first(), lower_links_[i].count());
  }

  std::span<const fb::Xattr> xattrs(const fb::Inode& inode) const;
  std::string_view xattr_name(const fb::Xattr& xattr) const { return pool_.substr(xattr.name(), xattr.name_length()); }
  std::string_view xattr_value(const fb::Xattr& xattr) const {
    return pool_.substr(xattr.value(), xattr.value_length());
  }

 private:
  friend class LayerIndexCheck;
  LayerIndex() = default;
  static bool IsOneChunk(const fb::Inode& file) { return (file.flags() & kInodeOneChunk) != 0; }

  const fb::LayerIndex* table_ = nullptr;
  std::span<const fb::Inode> inodes_;
  std::span<const fb::LayerEntry> entries_;
  std::span<const fb::Extent> extents_;
  std::span<const fb::Chunk> chunks_;
  std::span<const fb::XattrSet> xattr_sets_;
  std::span<const fb::Xattr> xattrs_;
  std::span<const fb::PoolRange> lower_links_;
  std::string_view pool_;
};

}  // namespace varve
