#include "cached/tree/merged_tree.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "cached/tree/image_index.h"
#include "cached/tree/ordinal_set.h"

namespace varve {
namespace {

// What ext4 says of a directory of a few entries. A merged directory has no size of its own; 0 would tell tools that
// count the links and bytes of directories (find without -noleaf, du) that it is something special.
constexpr std::uint64_t kDirectorySize = 4096;
constexpr std::uint32_t kDirectoryMode = S_IFDIR | 0755;

}  // namespace

MergedChild* MergedTree::Find(std::uint32_t directory, std::string_view name) {
  auto& children = directories_[directory].children;
  const auto found = std::ranges::lower_bound(children, name, {}, &MergedChild::name);
  return found != children.end() && found->name == name ? &*found : nullptr;
}

std::uint32_t MergedTree::AddDirectory(std::uint32_t parent, std::string_view name, MergedNode attributes) {
  directories_.emplace_back(std::vector<MergedChild>(), attributes, parent, name);
  return static_cast<std::uint32_t>(directories_.size() - 1);
}

void MergedTree::Insert(std::uint32_t directory, const MergedChild& child) {
  auto& children = directories_[directory].children;
  children.insert(std::ranges::lower_bound(children, child.name, {}, &MergedChild::name), child);
}

std::vector<std::string_view> MergedTree::PathOf(std::uint32_t directory) const {
  std::vector<std::string_view> path;
  for (; directory != kRoot; directory = directories_[directory].parent) path.push_back(directories_[directory].name);
  std::ranges::reverse(path);
  return path;
}

PathStep MergedTree::Step(std::uint32_t directory, std::string_view name) {
  const MergedChild* child = Find(directory, name);
  if (child == nullptr) return {};
  if (child->node.is_directory()) return {PathStep::Kind::kDirectory, child->node.ordinal, {}};
  if (child->node.layer > layers_.size() || !S_ISLNK(inode(child->node).mode())) return {PathStep::Kind::kOther, 0, {}};
  return {PathStep::Kind::kSymlink, 0, layers_[child->node.layer - 1].symlink_target(inode(child->node))};
}

Result<std::vector<ResolvedName>> MergedTree::Resolve(std::span<const std::string_view> path) {
  return ResolveDirectory(kRoot, path,
                          [this](std::uint32_t directory, std::string_view name) { return Step(directory, name); })
      .In(fmt::format("{}", fmt::join(path, "/")));
}

// Writes the tree as a stream: a walk from the root counts each file's names, another numbers what needs an inode of
// the image's own, and then each vector is one walk in that order.
class MergedTree::Writer {
 public:
  explicit Writer(const MergedTree& tree) : tree_(tree) {
    for (const LayerIndex& layer : tree_.layers_) diff_ids_.push_back(layer.diff_id());
    CountNames();
    Number();
  }

  Status Run(File& file) const {
    using Table = fb::ImageIndex;
    const ChainId chain_id = ChainIdOf(diff_ids_);
    VARVE_ASSIGN_OR_RETURN(IndexFileWriter writer,
                           IndexFileWriter::Create(file, IndexKind::kImage, chain_id.digest, MakeTable(chain_id),
                                                   {IndexVector::Of<fb::Hash>(Table::VT_LAYERS, diff_ids_.size()),
                                                    IndexVector::Of<fb::ImageInode>(Table::VT_INODES, inodes_.size()),
                                                    IndexVector::Of<fb::ImageEntry>(Table::VT_ENTRIES, entry_count_),
                                                    IndexVector::Of<char>(Table::VT_NAMES, name_bytes_)}));
    for (const Digest& diff_id : diff_ids_) writer.AppendOne(HashOf(diff_id));
    AppendInodes(writer);
    AppendEntries(writer);
    ForEachChild([&](const MergedChild& child, std::uint32_t) { writer.Append(std::span(child.name)); });
    return writer.Finish();
  }

 private:
  // An inode of the image's own, by final ordinal.
  struct Own {
    MergedNode node;
    std::uint32_t parent;  // a directory's
  };

  static flatbuffers::FlatBufferBuilder MakeTable(const ChainId& chain_id) {
    flatbuffers::FlatBufferBuilder table;
    const fb::Hash name = HashOf(chain_id.digest);
    const flatbuffers::uoffset_t none = table.CreateVector<std::uint8_t>(nullptr, 0).o;
    table.Finish(fb::CreateImageIndex(table, &name, none, none, none, none));
    return table;
  }

  // In the order of the file, with the number of the directory.
  template <class Visit>
  void ForEachChild(Visit visit) const {
    for (std::uint32_t i = 0; i < inodes_.size(); ++i) {
      if (!inodes_[i].node.is_directory()) continue;
      for (const MergedChild& child : tree_.directories_[inodes_[i].node.ordinal].children) visit(child, i);
    }
  }

  void CountNames() {
    for (const LayerIndex& layer : tree_.layers_) names_.emplace_back(layer.inodes().size());
    std::vector<std::uint32_t> queue = {kRoot};
    for (std::size_t i = 0; i < queue.size(); ++i) {
      for (const MergedChild& child : tree_.directories_[queue[i]].children) {
        ++entry_count_;
        name_bytes_ += child.name.size();
        if (child.node.is_directory()) {
          queue.push_back(child.node.ordinal);
        } else {
          ++names_[child.node.layer - 1][child.node.ordinal];
        }
      }
    }
  }

  void Number() {
    inodes_.push_back({{}, 0});
    ForEachChild([this](const MergedChild& child, std::uint32_t directory) {
      const auto added = static_cast<std::uint32_t>(inodes_.size());
      if (!child.node.is_directory() && (!NeedsOwnInode(child.node) || FindOwn(child.node) != kNoOrdinal)) return;
      inodes_.push_back({child.node, child.node.is_directory() ? directory : 0});
      if (!child.node.is_directory())
        own_files_.Insert(added, [this](std::uint32_t i) { return Hash(inodes_[i].node); });
    });
  }

  // The layer's own inode tells the truth about a file if all the names that it has there are left, and no more.
  bool NeedsOwnInode(MergedNode file) const {
    return names_[file.layer - 1][file.ordinal] != tree_.inode(file).nlink();
  }
  static std::uint64_t Hash(MergedNode file) {
    constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;  // spreads what is nearly consecutive
    return ((std::uint64_t{file.layer} << 32 | file.ordinal) * kGolden) >> 32;
  }
  std::uint32_t FindOwn(MergedNode file) const {
    return own_files_.Find(Hash(file), [&](std::uint32_t i) { return inodes_[i].node == file; });
  }

  void AppendInodes(IndexFileWriter& writer) const {
    std::uint32_t first = 0;
    for (const Own& own : inodes_) {
      fb::ImageInode inode = own.node.is_directory() ? MakeDirectory(own) : MakeFile(own.node);
      if (own.node.is_directory()) {
        const auto& children = tree_.directories_[own.node.ordinal].children;
        const auto is_directory = [](const MergedChild& child) { return child.node.is_directory(); };
        inode.mutate_nlink(2 + static_cast<std::uint32_t>(std::ranges::count_if(children, is_directory)));
        inode.mutate_first(first);
        inode.mutate_count(static_cast<std::uint32_t>(children.size()));
        first += inode.count();
      }
      writer.AppendOne(inode);
    }
  }

  void AppendEntries(IndexFileWriter& writer) const {
    std::uint32_t name_at = 0;
    std::uint32_t next_own = 1;  // directories come in the order of their names, as they were numbered
    ForEachChild([&](const MergedChild& child, std::uint32_t) {
      MergedNode node = child.node;
      const bool is_directory = node.is_directory();
      if (is_directory || NeedsOwnInode(node)) node = {kOwnInode, is_directory ? next_own : FindOwn(node)};
      if (node.layer == kOwnInode && node.ordinal == next_own) ++next_own;
      const std::uint32_t mode = is_directory ? kDirectoryMode : tree_.inode(child.node).mode();
      writer.AppendOne(fb::ImageEntry(name_at, node.ordinal, static_cast<std::uint16_t>(node.layer),
                                      static_cast<std::uint8_t>(child.name.size()), DirentType(mode)));
      name_at += static_cast<std::uint32_t>(child.name.size());
    });
  }

  static fb::ImageInode Make(const fb::Inode& from, std::uint64_t size, std::uint32_t nlink, MergedNode origin,
                             std::uint32_t parent) {
    return {size,  from.mtime_seconds(), from.mtime_nanoseconds(), from.mode(), from.uid(), from.gid(), from.device(),
            nlink, origin.layer,         origin.ordinal,           parent,      0,          0,          0};
  }
  fb::ImageInode MakeFile(MergedNode file) const {
    const fb::Inode& inode = tree_.inode(file);
    return Make(inode, inode.size(), names_[file.layer - 1][file.ordinal], file, 0);
  }
  fb::ImageInode MakeDirectory(const Own& own) const {
    const MergedNode origin = tree_.directories_[own.node.ordinal].attributes;
    fb::Inode implied;
    implied.mutate_mode(kDirectoryMode);
    return Make(origin.layer == 0 ? implied : tree_.inode(origin), kDirectorySize, 0, origin, own.parent);
  }

  const MergedTree& tree_;
  std::vector<Digest> diff_ids_;
  std::vector<std::vector<std::uint32_t>> names_;  // by layer - 1 and ordinal: how many the image has
  std::vector<Own> inodes_;
  OrdinalSet own_files_;  // of inodes_
  std::size_t entry_count_ = 0;
  std::size_t name_bytes_ = 0;
};

Status MergedTree::Write(File& file) const { return Writer(*this).Run(file); }

}  // namespace varve
