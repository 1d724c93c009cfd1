#include "cached/tree/layer_index.h"

#include <algorithm>
#include <optional>

#include "cached/content/chunker.h"
#include "cached/tree/index_check.h"

namespace varve {

// The invariants of docs/format/layer-index.md, one function each; every one is linear in what it checks.
class LayerIndexCheck {
 public:
  explicit LayerIndexCheck(const LayerIndex& index) : index_(index) {}

  Status Run() {
    if (!IsAligned(index_.extents_)) return Broken("a vector is not aligned");
    VARVE_RETURN_IF_ERROR(CheckChunks());
    VARVE_RETURN_IF_ERROR(CheckXattrs());
    VARVE_RETURN_IF_ERROR(CheckLowerLinks());
    return CheckTree(
        index_, index_.entries_.size(), index_.pool_, [this](const fb::Inode& inode) { return CheckInode(inode); },
        [this](const fb::LayerEntry& entry, std::size_t) { return CheckEntry(entry); });
  }

 private:
  Status CheckChunks() const {
    for (const fb::Chunk& chunk : index_.chunks_) {
      if (chunk.raw_length() == 0 || chunk.raw_length() > kChunkBytesMax)
        return Broken("a chunk of {} bytes", chunk.raw_length());
    }
    return Ok();
  }

  Status CheckXattrs() const {
    for (const fb::XattrSet& set : index_.xattr_sets_) {
      if (set.count() == 0 || !InRange(set.first(), set.count(), index_.xattrs_.size()))
        return Broken("an xattr set is out of range");
      std::string_view last;
      for (const fb::Xattr& xattr : index_.xattrs_.subspan(set.first(), set.count())) {
        if (!InRange(xattr.name(), xattr.name_length(), index_.pool_.size()) ||
            !InRange(xattr.value(), xattr.value_length(), index_.pool_.size())) {
          return Broken("an xattr is out of range");
        }
        const std::string_view name = index_.xattr_name(xattr);
        if (!IsValidXattr(name, index_.xattr_value(xattr))) return Broken("\"{}\" is no xattr", name);
        if (name <= last) return Broken("xattr \"{}\" does not come after \"{}\"", name, last);
        last = name;
      }
    }
    return Ok();
  }

  Status CheckLowerLinks() const {
    for (const fb::PoolRange& link : index_.lower_links_) {
      if (!InRange(link.first(), link.count(), index_.pool_.size())) return Broken("a hard link is out of range");
      const auto names = SplitPath(index_.pool_.substr(link.first(), link.count()));
      if (!names.ok() || names->empty()) return Broken("a hard link to no path");
    }
    return Ok();
  }

  Status CheckInode(const fb::Inode& inode) const {
    constexpr std::uint32_t kDirectoryFlags = kInodeImplied | kInodeOpaque;
    const std::uint32_t mode = inode.mode();
    if (inode.xattr_set() > index_.xattr_sets_.size()) return Broken("there is no xattr set {}", inode.xattr_set());
    if ((inode.flags() & ~(S_ISDIR(mode) ? kDirectoryFlags : S_ISREG(mode) ? kInodeOneChunk : 0)) != 0) {
      return Broken("flags {}", inode.flags());
    }
    if (inode.device() != 0 && !S_ISCHR(mode) && !S_ISBLK(mode)) return Broken("a device number, but mode {:o}", mode);
    if (S_ISREG(mode)) return CheckContent(inode);
    if (S_ISLNK(mode)) return CheckTarget(inode);
    if (inode.size() != 0) return Broken("a size, but mode {:o}", mode);
    if (!S_ISDIR(mode) && (inode.first() != 0 || inode.count() != 0)) return Broken("a range, but mode {:o}", mode);
    return Ok();
  }

  Status CheckContent(const fb::Inode& file) const {
    if (!LayerIndex::IsOneChunk(file) && !InRange(file.first(), file.count(), index_.extents_.size())) {
      return Broken("its extents are out of range");
    }
    if (LayerIndex::IsOneChunk(file) && (file.count() != 0 || file.size() > kChunkBytesMax))
      return Broken("more than one chunk");
    std::uint64_t end = 0;
    for (std::size_t i = 0; i < index_.extent_count(file); ++i) {
      const fb::Extent extent = index_.extent(file, i);
      if (extent.chunk() >= index_.chunks_.size()) return Broken("there is no chunk {}", extent.chunk());
      if (extent.length() != index_.chunks_[extent.chunk()].raw_length())
        return Broken("chunk {} has another length", extent.chunk());
      if (extent.offset() < end || !InRange(extent.offset(), extent.length(), file.size()))
        return Broken("extent {} is out of place", i);
      end = extent.offset() + extent.length();
    }
    return Ok();
  }

  Status CheckTarget(const fb::Inode& symlink) const {
    if (symlink.size() != symlink.count() || symlink.count() == 0 || symlink.count() > kSymlinkTargetBytesMax ||
        !InRange(symlink.first(), symlink.count(), index_.pool_.size())) {
      return Broken("its target is out of range");
    }
    if (index_.symlink_target(symlink).find('\0') != std::string_view::npos) return Broken("its target has a NUL byte");
    return Ok();
  }

  Result<OwnInode> CheckEntry(const fb::LayerEntry& entry) const {
    if (entry.reserved() != 0) return Broken("a reserved field is used");
    switch (static_cast<LayerEntryKind>(entry.kind())) {
      case LayerEntryKind::kWhiteout:
        if (entry.target() != 0) return Broken("a whiteout with a target");
        return OwnInode();
      case LayerEntryKind::kLowerLink:
        if (entry.target() >= index_.lower_links_.size()) return Broken("there is no hard link {}", entry.target());
        return OwnInode();
      case LayerEntryKind::kInode:
        return OwnInode(entry.target());
    }
    return Broken("kind {}", entry.kind());
  }

  const LayerIndex& index_;
};

Result<LayerIndex> LayerIndex::Open(ByteSpan file, const Digest& diff_id, IndexCheck check) {
  VARVE_ASSIGN_OR_RETURN(const ByteSpan body, OpenIndexBody(IndexKind::kLayer, diff_id, file));
  const std::string noun = IndexNoun(IndexKind::kLayer, diff_id);
  if (check == IndexCheck::kFull) VARVE_RETURN_IF_ERROR(VerifyFlatBuffer<fb::LayerIndex>(body).In(noun));
  LayerIndex index;
  index.table_ = flatbuffers::GetRoot<fb::LayerIndex>(body.data());
  index.inodes_ = SpanOf(index.table_->inodes());
  index.entries_ = SpanOf(index.table_->entries());
  index.extents_ = SpanOf(index.table_->extents());
  index.chunks_ = SpanOf(index.table_->chunks());
  index.xattr_sets_ = SpanOf(index.table_->xattr_sets());
  index.xattrs_ = SpanOf(index.table_->xattrs());
  index.lower_links_ = SpanOf(index.table_->lower_links());
  index.pool_ = {reinterpret_cast<const char*>(index.table_->pool()->data()), index.table_->pool()->size()};
  if (check == IndexCheck::kFull) {
    if (index.diff_id() != diff_id) return Broken("{}: it names another layer", noun);
    VARVE_RETURN_IF_ERROR(LayerIndexCheck(index).Run().In(noun));
  }
  return index;
}

std::size_t LayerIndex::FindExtent(const fb::Inode& file, std::uint64_t offset) const {
  if (IsOneChunk(file)) return offset < file.size() ? 0 : 1;
  const auto extents = extents_.subspan(file.first(), file.count());
  const auto ends_behind = [offset](const fb::Extent& extent) { return extent.offset() + extent.length() <= offset; };
  return static_cast<std::size_t>(std::ranges::partition_point(extents, ends_behind) - extents.begin());
}

std::span<const fb::Xattr> LayerIndex::xattrs(const fb::Inode& inode) const {
  if (inode.xattr_set() == 0) return {};
  const fb::XattrSet& set = xattr_sets_[inode.xattr_set() - 1];
  return xattrs_.subspan(set.first(), set.count());
}

bool IsValidXattr(std::string_view name, std::string_view value) {
  return !name.empty() && name.size() <= kXattrNameBytesMax && name.find('\0') == name.npos &&
         value.size() <= kXattrValueBytesMax;
}

}  // namespace varve
