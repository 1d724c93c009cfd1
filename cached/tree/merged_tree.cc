#include "cached/tree/merged_tree.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <unordered_map>

#include "cached/tree/image_index.h"

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
  directories_.push_back({.children = {}, .attributes = attributes, .parent = parent, .name = name});
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

// Two walks from the root: one counts, so that the file can be allocated once and link counts are known; one writes.
class MergedTree::Writer {
 public:
  explicit Writer(const MergedTree& tree) : tree_(tree) {}

  Result<Bytes> Run() {
    Count();
    VARVE_ASSIGN_OR_RETURN(
        const auto writer,
        IndexFileWriter::Create(inode_count_ * sizeof(fb::ImageInode) + entry_count_ * sizeof(fb::ImageEntry) +
                                name_bytes_ + tree_.layers_.size() * sizeof(fb::Hash)));
    std::uint8_t* name_start = nullptr;
    const auto names = writer->buffer().CreateUninitializedVector<std::uint8_t>(name_bytes_, &name_start);
    const auto layers = writer->AddStructs<fb::Hash>(tree_.layers_.size());
    const auto inodes = writer->AddStructs<fb::ImageInode>(inode_count_);
    const auto entries = writer->AddStructs<fb::ImageEntry>(entry_count_);
    std::vector<Digest> diff_ids;
    for (const LayerIndex& layer : tree_.layers_) {
      layers.items[diff_ids.size()] = HashOf(layer.diff_id());
      diff_ids.push_back(layer.diff_id());
    }
    Fill(inodes.items, entries.items, reinterpret_cast<char*>(name_start));
    const ChainId chain_id = ChainIdOf(diff_ids);
    const fb::Hash name = HashOf(chain_id.digest);
    const auto table =
        fb::CreateImageIndex(writer->buffer(), &name, layers.offset, inodes.offset, entries.offset, names);
    return writer->Finish(IndexKind::kImage, chain_id.digest, table);
  }

 private:
  void Count() {
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
    inode_count_ = queue.size();
    for (std::size_t layer = 0; layer < names_.size(); ++layer) {
      for (std::size_t i = 0; i < names_[layer].size(); ++i) {
        if (names_[layer][i] != 0 && names_[layer][i] != tree_.layers_[layer].inodes()[i].nlink()) ++inode_count_;
      }
    }
  }

  // The layer's own inode tells the truth about a file if all the names that it has there are left, and no more.
  bool NeedsOwnInode(MergedNode file) const {
    return names_[file.layer - 1][file.ordinal] != tree_.inode(file).nlink();
  }

  void Fill(std::span<fb::ImageInode> inodes, std::span<fb::ImageEntry> entries, char* names) {
    std::vector<MergedNode> queue = {{}};  // by final ordinal
    std::uint32_t entry_at = 0;
    std::uint32_t name_at = 0;
    inodes[0] = MakeDirectory(kRoot, 0);
    for (std::uint32_t i = 0; i < queue.size(); ++i) {
      if (!queue[i].is_directory()) continue;
      const auto& children = tree_.directories_[queue[i].ordinal].children;
      inodes[i].mutate_first(entry_at);
      inodes[i].mutate_count(static_cast<std::uint32_t>(children.size()));
      for (const MergedChild& child : children) {
        const auto added = static_cast<std::uint32_t>(queue.size());
        MergedNode node = child.node;
        if (node.is_directory()) {
          node = {kOwnInode, added};
          inodes[added] = MakeDirectory(child.node.ordinal, i);
          inodes[i].mutate_nlink(inodes[i].nlink() + 1);
          queue.push_back(child.node);
        } else if (NeedsOwnInode(node)) {
          const auto [own, is_new] = own_files_.emplace(std::uint64_t{node.layer} << 32 | node.ordinal, added);
          node = {kOwnInode, own->second};
          if (is_new) inodes[added] = MakeFile(child.node);
          if (is_new) queue.push_back(child.node);
        }
        child.name.copy(names + name_at, child.name.size());
        const std::uint32_t mode = child.node.is_directory() ? kDirectoryMode : tree_.inode(child.node).mode();
        entries[entry_at++] = fb::ImageEntry(name_at, node.ordinal, static_cast<std::uint16_t>(node.layer),
                                             static_cast<std::uint8_t>(child.name.size()), DirentType(mode));
        name_at += static_cast<std::uint32_t>(child.name.size());
      }
    }
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
  fb::ImageInode MakeDirectory(std::uint32_t directory, std::uint32_t parent) const {
    const MergedNode origin = tree_.directories_[directory].attributes;
    fb::Inode implied;
    implied.mutate_mode(kDirectoryMode);
    return Make(origin.layer == 0 ? implied : tree_.inode(origin), kDirectorySize, 2, origin, parent);
  }

  const MergedTree& tree_;
  std::vector<std::vector<std::uint32_t>> names_;               // by layer - 1 and ordinal: how many the image has
  std::unordered_map<std::uint64_t, std::uint32_t> own_files_;  // layer << 32 | ordinal -> final ordinal
  std::size_t inode_count_ = 0;
  std::size_t entry_count_ = 0;
  std::size_t name_bytes_ = 0;
};

Result<Bytes> MergedTree::Write() const { return Writer(*this).Run(); }

}  // namespace varve
