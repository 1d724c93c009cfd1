#include "cached/tree/image_index.h"

#include <dirent.h>

#include <algorithm>
#include <vector>

#include "cached/tree/index_check.h"

namespace varve {

// The invariants of docs/format/image-index.md that the index itself can show; CheckAgainst has the rest.
class ImageIndexCheck {
 public:
  explicit ImageIndexCheck(const ImageIndex& index) : index_(index) {}

  Status Run(const ChainId& chain_id) {
    if (index_.layers_.size() > kImageLayersMax) return Broken("{} layers", index_.layers_.size());
    std::vector<Digest> diff_ids;
    for (const fb::Hash& layer : index_.layers_) diff_ids.push_back(DigestOf(layer));
    if (ChainIdOf(diff_ids) != chain_id || DigestOf(*index_.table_->chain_id()) != chain_id.digest) {
      return Broken("its layers have another chain ID");
    }
    VARVE_RETURN_IF_ERROR(CheckTree(
        index_, index_.entries_.size(), index_.names_,
        [this](const fb::ImageInode& inode) { return CheckInode(inode); },
        [this](const fb::ImageEntry& entry, std::size_t directory) { return CheckEntry(entry, directory); }));
    return index_.inodes_[0].parent() == 0 ? Ok() : Broken("the root directory has a parent");
  }

 private:
  Status CheckInode(const fb::ImageInode& inode) const {
    if (inode.layer() > index_.layers_.size()) return Broken("there is no layer {}", inode.layer());
    if (inode.layer() == 0 && (inode.ordinal() != 0 || !S_ISDIR(inode.mode()))) return Broken("it is of no layer");
    if (inode.reserved() != 0) return Broken("a reserved field is used");
    const bool has_range = inode.first() != 0 || inode.count() != 0 || inode.parent() != 0;
    if (has_range && !S_ISDIR(inode.mode())) return Broken("entries or a parent, but mode {:o}", inode.mode());
    return Ok();
  }

  Result<OwnInode> CheckEntry(const fb::ImageEntry& entry, std::size_t directory) const {
    if (entry.layer() > index_.layers_.size()) return Broken("there is no layer {}", entry.layer());
    if (entry.layer() != kOwnInode) {
      if (entry.type() == DT_DIR) return Broken("a directory that is not the image's own");
      return OwnInode();
    }
    if (entry.ordinal() >= index_.inodes_.size()) return Broken("there is no inode {}", entry.ordinal());
    const fb::ImageInode& inode = index_.inodes_[entry.ordinal()];
    if (DirentType(inode.mode()) != entry.type()) return Broken("type {}, but mode {:o}", entry.type(), inode.mode());
    if (S_ISDIR(inode.mode()) && inode.parent() != directory)
      return Broken("its parent is directory {}", inode.parent());
    return OwnInode(entry.ordinal());
  }

  const ImageIndex& index_;
};

Result<ImageIndex> ImageIndex::Open(ByteSpan file, const ChainId& chain_id, IndexCheck check) {
  VARVE_ASSIGN_OR_RETURN(const ByteSpan body, OpenIndexBody(IndexKind::kImage, chain_id.digest, file));
  const std::string noun = IndexNoun(IndexKind::kImage, chain_id.digest);
  if (check == IndexCheck::kFull) VARVE_RETURN_IF_ERROR(VerifyFlatBuffer<fb::ImageIndex>(body).In(noun));
  ImageIndex index;
  index.table_ = flatbuffers::GetRoot<fb::ImageIndex>(body.data());
  index.layers_ = SpanOf(index.table_->layers());
  index.inodes_ = SpanOf(index.table_->inodes());
  index.entries_ = SpanOf(index.table_->entries());
  index.names_ = {reinterpret_cast<const char*>(index.table_->names()->data()), index.table_->names()->size()};
  if (check == IndexCheck::kFull) VARVE_RETURN_IF_ERROR(ImageIndexCheck(index).Run(chain_id).In(noun));
  return index;
}

const fb::ImageEntry* ImageIndex::Find(const fb::ImageInode& directory, std::string_view wanted) const {
  const auto entries = this->entries(directory);
  const auto found =
      std::ranges::lower_bound(entries, wanted, {}, [this](const fb::ImageEntry& entry) { return name(entry); });
  return found != entries.end() && name(*found) == wanted ? &*found : nullptr;
}

Status ImageIndex::CheckAgainst(std::span<const LayerIndex> layers) const {
  if (layers.size() != layers_.size()) return Broken("{} layers, not {}", layers_.size(), layers.size());
  std::vector<std::vector<std::uint32_t>> names(layers.size() + 1);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].diff_id() != layer(i)) return Broken("layer {} is {}", i + 1, layer(i).ToString());
    names[i + 1].resize(layers[i].inodes().size());
  }
  for (const fb::ImageInode& inode : inodes_) {
    if (inode.layer() == 0) continue;
    const auto below = layers[inode.layer() - 1].inodes();
    if (inode.ordinal() >= below.size()) return Broken("layer {} has no inode {}", inode.layer(), inode.ordinal());
    const fb::Inode& origin = below[inode.ordinal()];
    if (DirentType(origin.mode()) != DirentType(inode.mode()))
      return Broken("layer {}: inode {} has another type", inode.layer(), inode.ordinal());
    if (!S_ISDIR(inode.mode()) && origin.size() != inode.size())
      return Broken("layer {}: inode {} has another size", inode.layer(), inode.ordinal());
  }
  for (const fb::ImageEntry& entry : entries_) {
    if (entry.layer() == kOwnInode) continue;
    const auto below = layers[entry.layer() - 1].inodes();
    if (entry.ordinal() >= below.size()) return Broken("layer {} has no inode {}", entry.layer(), entry.ordinal());
    if (DirentType(below[entry.ordinal()].mode()) != entry.type())
      return Broken("\"{}\" has another type", name(entry));
    ++names[entry.layer()][entry.ordinal()];
  }
  for (std::size_t i = 1; i < names.size(); ++i) {
    for (std::size_t ordinal = 0; ordinal < names[i].size(); ++ordinal) {
      const std::uint32_t nlink = layers[i - 1].inodes()[ordinal].nlink();
      if (names[i][ordinal] != 0 && names[i][ordinal] != nlink)
        return Broken("layer {}: inode {} has {} names, not {}", i, ordinal, names[i][ordinal], nlink);
    }
  }
  return Ok();
}

}  // namespace varve
