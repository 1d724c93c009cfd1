#include "cached/tree/layer_draft.h"

#include <algorithm>
#include <span>
#include <utility>

#include "cached/tree/ordinal_set.h"

// From a draft to its index: a walk from the root finds what is still named, counts links, and gives inodes their final
// ordinals, breadth first, so that what is in one directory lies together (and a check of the order proves that the
// directories are a tree: index_check.h). The index then goes out as a stream. A layer of 10^6 entries has an index of
// 120 MB; held in memory beside the draft that it is made from, it was half of what such a layer cost.
namespace varve {
namespace {

class IndexOrder {
 public:
  explicit IndexOrder(LayerDraft& draft) : draft_(draft) {
    MarkReplaced();
    GroupNames();
    ordinals_.assign(draft_.inodes.size(), kNoOrdinal);
    ordinals_[LayerDraft::kRoot] = 0;
    inodes_.reserve(draft_.inodes.size());
    inodes_.push_back(LayerDraft::kRoot);
    for (std::size_t i = 0; i < inodes_.size(); ++i) {
      if (S_ISDIR(draft_.inodes[inodes_[i]].mode())) WalkDirectory(inodes_[i]);
    }
  }

  std::size_t entry_count() const { return entry_count_; }
  // By final ordinal: where they are in the draft.
  std::span<const std::uint32_t> inodes() const { return inodes_; }

  template <class Visit>
  void ForEachEntry(Visit visit) const {
    for (const std::uint32_t inode : inodes_) {
      if (!S_ISDIR(draft_.inodes[inode].mode())) continue;
      for (const std::uint32_t name : NamesOf(inode)) {
        if (IsLive(draft_.names[name])) visit(MakeEntry(draft_.names[name]));
      }
    }
  }

 private:
  // Names that AUFS reserved are there for hard links to find, but no part of the layer.
  bool IsLive(const DraftName& name) const { return !draft_.Text(name).starts_with(".wh."); }
  std::span<const std::uint32_t> NamesOf(std::uint32_t directory) const {
    return std::span(names_).subspan(first_[directory], first_[directory + 1] - first_[directory]);
  }

  void MarkReplaced();
  void GroupNames();
  void WalkDirectory(std::uint32_t directory);
  fb::LayerEntry MakeEntry(const DraftName& name) const;

  LayerDraft& draft_;
  std::vector<std::uint32_t> names_;  // of directory d: names_[first_[d]] to names_[first_[d + 1]]
  std::vector<std::uint32_t> first_;
  std::vector<std::uint32_t> inodes_;
  std::vector<std::uint32_t> ordinals_;  // the other way; kNoOrdinal for what was replaced
  std::uint32_t entry_count_ = 0;
};

// A directory beside a whiteout of its name is this layer's own, even if only implied, and hides what is below
// (whiteout.cc).
void IndexOrder::MarkReplaced() {
  for (std::size_t i = 0; i < draft_.names.size(); ++i) {
    const DraftName& name = draft_.names[i];
    if (!name.hides_below || !draft_.IsDirectory(name)) continue;
    fb::Inode& directory = draft_.inodes[name.target];
    directory.mutate_flags((directory.flags() & ~kInodeImplied) | kInodeOpaque);
  }
}

// Every directory's names, unsorted, by counting. While they are placed, first_[d + 1] is where d's next name goes, and
// so in the end where those of d + 1 begin.
void IndexOrder::GroupNames() {
  first_.resize(draft_.inodes.size() + 2);
  for (std::size_t i = 0; i < draft_.names.size(); ++i) ++first_[draft_.names[i].directory + 2];
  for (std::size_t i = 1; i < first_.size(); ++i) first_[i] += first_[i - 1];
  names_.resize(draft_.names.size());
  for (std::uint32_t i = 0; i < names_.size(); ++i) names_[first_[draft_.names[i].directory + 1]++] = i;
}

void IndexOrder::WalkDirectory(std::uint32_t directory) {
  const auto names = std::span(names_).subspan(first_[directory], first_[directory + 1] - first_[directory]);
  std::ranges::sort(names, {}, [this](std::uint32_t i) { return draft_.Text(draft_.names[i]); });
  draft_.inodes[directory].mutate_first(entry_count_);
  std::uint32_t subdirectories = 0;
  for (const std::uint32_t i : names) {
    const DraftName& name = draft_.names[i];
    if (!IsLive(name)) continue;
    ++entry_count_;
    if (name.kind != DraftName::Target::kInode) continue;
    if (ordinals_[name.target] == kNoOrdinal) {
      ordinals_[name.target] = static_cast<std::uint32_t>(inodes_.size());
      inodes_.push_back(name.target);
    }
    fb::Inode& inode = draft_.inodes[name.target];
    if (S_ISDIR(inode.mode())) {
      ++subdirectories;
    } else {
      inode.mutate_nlink(inode.nlink() + 1);
    }
  }
  draft_.inodes[directory].mutate_count(entry_count_ - draft_.inodes[directory].first());
  draft_.inodes[directory].mutate_nlink(2 + subdirectories);
}

fb::LayerEntry IndexOrder::MakeEntry(const DraftName& name) const {
  const auto make = [&](LayerEntryKind kind, std::uint32_t target) {
    return fb::LayerEntry(name.text, target, name.text_length, static_cast<std::uint8_t>(kind), 0);
  };
  if (name.kind == DraftName::Target::kNothing) return make(LayerEntryKind::kWhiteout, 0);
  if (name.kind == DraftName::Target::kLowerLink) return make(LayerEntryKind::kLowerLink, name.target);
  return make(LayerEntryKind::kInode, ordinals_[name.target]);
}

// The table, with empty vectors.
flatbuffers::FlatBufferBuilder MakeTable(const Digest& diff_id, std::uint64_t tar_bytes) {
  flatbuffers::FlatBufferBuilder table;
  const fb::Hash name = HashOf(diff_id);
  const flatbuffers::uoffset_t none = table.CreateVector<std::uint8_t>(nullptr, 0).o;
  table.Finish(fb::CreateLayerIndex(table, &name, tar_bytes, none, none, none, none, none, none, none, none));
  return table;
}

}  // namespace

Status WriteLayerIndex(LayerDraft draft, File& file, const Digest& diff_id, std::uint64_t tar_bytes) {
  draft.tables.Close();
  const IndexOrder order(draft);
  const LayerTables& tables = draft.tables;
  using Table = fb::LayerIndex;
  VARVE_ASSIGN_OR_RETURN(
      IndexFileWriter writer,
      IndexFileWriter::Create(file, IndexKind::kLayer, diff_id, MakeTable(diff_id, tar_bytes),
                              {IndexVector::Of<fb::Inode>(Table::VT_INODES, order.inodes().size()),
                               IndexVector::Of<fb::LayerEntry>(Table::VT_ENTRIES, order.entry_count()),
                               IndexVector::Of<fb::Extent>(Table::VT_EXTENTS, draft.extents.size()),
                               IndexVector::Of<fb::Chunk>(Table::VT_CHUNKS, tables.chunks.size()),
                               IndexVector::Of<fb::XattrSet>(Table::VT_XATTR_SETS, tables.xattr_sets.size()),
                               IndexVector::Of<fb::Xattr>(Table::VT_XATTRS, tables.xattrs.size()),
                               IndexVector::Of<fb::PoolRange>(Table::VT_LOWER_LINKS, draft.lower_links.size()),
                               IndexVector::Of<char>(Table::VT_POOL, tables.pool.size())}));
  for (const std::uint32_t inode : order.inodes()) writer.AppendOne(draft.inodes[inode]);
  order.ForEachEntry([&](const fb::LayerEntry& entry) { writer.AppendOne(entry); });
  writer.Append(draft.extents);
  writer.Append(tables.chunks);
  writer.Append(std::span(tables.xattr_sets));
  writer.Append(std::span(tables.xattrs));
  writer.Append(std::span(std::as_const(draft.lower_links)));
  writer.Append(std::span(tables.pool));
  return writer.Finish();
}

}  // namespace varve
