#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "cached/base/bytes.h"
#include "cached/content/chain_id.h"
#include "cached/content/digest.h"
#include "cached/tree/image_index_generated.h"
#include "cached/tree/index_file.h"
#include "cached/tree/layer_index.h"

namespace varve {

// Entry::layer of an image entry whose inode is the image index's own.
inline constexpr std::uint32_t kOwnInode = 0;
// Layers are numbered from 1 in 16 bits.
inline constexpr std::size_t kImageLayersMax = UINT16_MAX;

// What readdir calls a file of `mode` (DT_REG, …).
constexpr std::uint8_t DirentType(std::uint32_t mode) { return static_cast<std::uint8_t>(mode >> 12); }

// A view of an image index, usually of a mapped file, which must outlive it. Immutable, thread-safe, a few pointers:
// copy freely. After kFull every index into its own vectors is in range and its directories are a tree. Ordinals of
// layers are checked by CheckAgainst, once, when the index is written or received; accessors do not check again.
class ImageIndex {
 public:
  // kDataLoss naming the invariant that is broken.
  static Result<ImageIndex> Open(ByteSpan file, const ChainId& chain_id, IndexCheck check);

  std::span<const fb::Hash> layers() const { return layers_; }
  Digest layer(std::size_t index) const { return DigestOf(layers_[index]); }
  std::span<const fb::ImageInode> inodes() const { return inodes_; }
  std::span<const fb::ImageEntry> entries(const fb::ImageInode& directory) const {
    return entries_.subspan(directory.first(), directory.count());
  }
  std::string_view name(const fb::ImageEntry& entry) const { return names_.substr(entry.name(), entry.name_length()); }

  // By binary search; null if the directory has no such entry.
  const fb::ImageEntry* Find(const fb::ImageInode& directory, std::string_view wanted) const;

  // kDataLoss unless `layers` are those of layers(), every (layer, ordinal) is an inode of its layer with the type that
  // the entry says and as many names here as there, and own files are as long as the content that they point at.
  Status CheckAgainst(std::span<const LayerIndex> layers) const;

 private:
  friend class ImageIndexCheck;
  ImageIndex() = default;

  const fb::ImageIndex* table_ = nullptr;
  std::span<const fb::Hash> layers_;
  std::span<const fb::ImageInode> inodes_;
  std::span<const fb::ImageEntry> entries_;
  std::string_view names_;
};

}  // namespace varve
