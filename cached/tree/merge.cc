#include "cached/tree/merge.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <unordered_set>

#include "cached/tree/image_index.h"
#include "cached/tree/merged_tree.h"

// A stack of changesets into one tree (OCI image-spec, layer.md, "Applying Changesets").
//
//   layer 1              layer 2              image
//   etc/old    "1"       etc/.wh.old          etc/new    layer 2, inode 2
//   lib -> usr/lib       etc/new    "2"       lib        layer 1, inode 2
//   usr/lib/a  "3"       lib/b      "4"       usr/lib/a  layer 1, inode 5
//                                             usr/lib/b  layer 2, inode 4
//
// An image's tree is directories whose names point at inodes of layers; merging moves no content and copies no file's
// attributes, so it costs about what its directories cost: of each layer, only those directories are touched that it
// mentions.
//
// Each layer is applied in four passes, because everything it says about "below" means the tree as it was before this
// layer, and its tar may say it in any order:
//
//   links     hard links to files of lower layers are looked up, before anything that they may point at is hidden or
//   replaced locate    where the layer only passes through a directory ("implied": lib/b with no entry for lib) and the
//   tree has a symlink
//             there, an extractor would have followed it. The subtree is noted as a graft: a place, and the layer's
//             directory whose entries belong there. An entry for lib itself replaces the symlink instead
//   hide      whiteouts and opaque marks, of the root and of all grafts
//   apply     directories merge: the layer's attributes if it has an entry for it, else the ones below; any other entry
//   replaces
//             what is there. Grafts come after the rest of their layer
//
// and at last those hard links that the first pass could not find are looked up once more: their path may lead through
// what this layer added. A symlink is always followed inside the image: one to "/usr" from the root of the image, ".."
// never above it.
//
// Every name of a file is counted in the end. If the image has just those names that the file's own layer gave it, the
// entry points at the layer's inode, and all images with that layer share it (and its page cache). If a higher layer
// removed or added one, st_nlink differs and the image gets an inode of its own, shared by the names that are left.
//
// Rejected: merging at mount time as overlayfs does (a lookup that fails asks every layer, and readdir merges again
// each time); merging two images' indexes pairwise and writing each level (127 layers write 127 indexes; here one tree
// takes them all). Against the kernel's overlayfs as oracle: tests/tree/overlay_oracle_test.cc. Decisions and
// differences: docs/design/overlay.md.
namespace varve {
namespace {

// Names in the paths of all grafts of an image: bounds what symlinks to deep places can make us build.
constexpr std::size_t kGraftNamesMax = 1'000'000;

// A hard link that is not found yet: beyond every layer's number.
constexpr std::uint32_t kPendingLink = UINT32_MAX;

class LayerMerge {
 public:
  LayerMerge(MergedTree& tree, const LayerIndex& layer, std::uint32_t number, std::size_t& graft_names)
      : tree_(tree), layer_(layer), number_(number), graft_names_(graft_names) {}

  Status Run() {
    for (std::size_t i = 0; i < layer_.lower_link_count(); ++i) links_.push_back(FindLink(i));
    grafts_.push_back({{}, 0});
    for (std::size_t i = 0; i < grafts_.size(); ++i) VARVE_RETURN_IF_ERROR(Locate(i));
    for (std::size_t i = 0; i < grafts_.size(); ++i) VARVE_RETURN_IF_ERROR(Hide(i));
    for (std::size_t i = 0; i < grafts_.size(); ++i) VARVE_RETURN_IF_ERROR(Apply(i));
    return FinishLinks();
  }

 private:
  struct Graft {
    std::vector<std::string_view> path;
    std::uint32_t directory;  // of the layer
  };
  // A directory of the layer and the one of the tree that it belongs to.
  struct Pair {
    std::uint32_t of_layer;
    std::uint32_t of_tree;
  };
  struct PendingLink {
    std::uint32_t directory;
    std::string_view name;
    std::uint32_t link;
  };

  const fb::Inode& inode(std::uint32_t ordinal) const { return layer_.inodes()[ordinal]; }
  bool IsDirectory(const fb::LayerEntry& entry) const {
    return entry.kind() == static_cast<std::uint8_t>(LayerEntryKind::kInode) && S_ISDIR(inode(entry.target()).mode());
  }
  bool IsImplied(std::uint32_t ordinal) const { return (inode(ordinal).flags() & kInodeImplied) != 0; }
  bool IsOpaque(std::uint32_t ordinal) const { return (inode(ordinal).flags() & kInodeOpaque) != 0; }
  bool IsSymlink(MergedNode node) const {
    return !node.is_directory() && node.layer != kPendingLink && S_ISLNK(tree_.inode(node).mode());
  }
  std::string PathText(std::uint32_t directory, std::string_view name) const {
    auto path = tree_.PathOf(directory);
    path.push_back(name);
    return fmt::format("{}", fmt::join(path, "/"));
  }
  Error NotADirectory(std::uint32_t directory, std::string_view name) const {
    return Error(Code::kInvalidArgument, PathText(directory, name) + ": has entries below it, but is not a directory");
  }

  MergedNode FindLink(std::size_t link) const;
  Status FinishLinks();
  template <class Visit>
  Status ForEachPair(std::size_t graft, Visit visit);
  Status Locate(std::size_t graft);
  Status Hide(std::size_t graft);
  Status Apply(std::size_t graft);
  Status AddGraft(std::uint32_t directory, std::string_view symlink, std::uint32_t of_layer);
  Result<std::uint32_t> MakePlace(const Graft& graft);
  Status MergeChildren(Pair pair);
  Result<MergedNode> MergeEntry(const fb::LayerEntry& entry, std::uint32_t parent, const MergedChild* existing);

  MergedTree& tree_;
  const LayerIndex& layer_;
  const std::uint32_t number_;
  std::size_t& graft_names_;
  std::vector<MergedNode> links_;  // by the layer's lower_link
  std::vector<PendingLink> pending_links_;
  std::vector<Graft> grafts_;  // [0] is the whole layer
  std::unordered_set<std::uint32_t> grafted_;
  std::vector<Pair> work_;  // of Apply: directories whose children are to be merged
  std::vector<std::pair<std::string_view, std::uint32_t>>
      symlinks_;  // met by MergeChildren: name, directory of the layer
};

MergedNode LayerMerge::FindLink(std::size_t link) const {
  const MergedNode missing{kPendingLink, static_cast<std::uint32_t>(link)};
  const auto names = SplitPath(layer_.lower_link(link));
  if (!names.ok() || names->empty()) return missing;
  const auto parents = tree_.Resolve(std::span(*names).first(names->size() - 1));
  if (!parents.ok()) return missing;
  const std::uint32_t parent = parents->empty() ? MergedTree::kRoot : parents->back().directory;
  const MergedChild* found = parent == kMissingDirectory ? nullptr : tree_.Find(parent, names->back());
  return found == nullptr || found->node.is_directory() ? missing : found->node;
}

Status LayerMerge::FinishLinks() {
  for (const PendingLink& pending : pending_links_) {
    MergedChild* const child = tree_.Find(pending.directory, pending.name);
    if (child == nullptr || child->node != MergedNode{kPendingLink, pending.link}) continue;
    const MergedNode found = FindLink(pending.link);
    if (found.layer == kPendingLink) {
      return Error(Code::kInvalidArgument,
                   fmt::format("{}: a hard link to {}, which is no file of this layer or those below",
                               PathText(pending.directory, pending.name), layer_.lower_link(pending.link)));
    }
    child->node = found;
  }
  return Ok();
}

// Visits the directories that the graft's part of the layer and the tree both have; not below those for which `visit`
// says false.
template <class Visit>
Status LayerMerge::ForEachPair(std::size_t graft, Visit visit) {
  std::uint32_t place = MergedTree::kRoot;
  for (const std::string_view name : grafts_[graft].path) {
    const MergedChild* child = tree_.Find(place, name);
    if (child == nullptr || !child->node.is_directory()) return Ok();
    place = child->node.ordinal;
  }
  std::vector<Pair> pairs = {{grafts_[graft].directory, place}};
  while (!pairs.empty()) {
    const Pair pair = pairs.back();
    pairs.pop_back();
    VARVE_ASSIGN_OR_RETURN(const bool descend, visit(pair));
    if (!descend) continue;
    for (const fb::LayerEntry& entry : layer_.entries(inode(pair.of_layer))) {
      if (!IsDirectory(entry)) continue;
      const MergedChild* child = tree_.Find(pair.of_tree, layer_.name(entry));
      if (child != nullptr && child->node.is_directory()) pairs.push_back({entry.target(), child->node.ordinal});
    }
  }
  return Ok();
}

Status LayerMerge::Locate(std::size_t graft) {
  return ForEachPair(graft, [this](Pair pair) -> Result<bool> {
    if (IsOpaque(pair.of_layer)) return false;
    for (const fb::LayerEntry& entry : layer_.entries(inode(pair.of_layer))) {
      if (!IsDirectory(entry) || !IsImplied(entry.target())) continue;
      const MergedChild* child = tree_.Find(pair.of_tree, layer_.name(entry));
      if (child != nullptr && IsSymlink(child->node)) {
        VARVE_RETURN_IF_ERROR(AddGraft(pair.of_tree, child->name, entry.target()));
      }
    }
    return true;
  });
}

Status LayerMerge::Hide(std::size_t graft) {
  return ForEachPair(graft, [this](Pair pair) -> Result<bool> {
    auto& children = tree_.directory(pair.of_tree).children;
    if (IsOpaque(pair.of_layer)) {
      children.clear();
      return false;
    }
    const auto entries = layer_.entries(inode(pair.of_layer));
    auto entry = entries.begin();
    std::erase_if(children, [&](const MergedChild& child) {
      while (entry != entries.end() && layer_.name(*entry) < child.name) ++entry;
      return entry != entries.end() && entry->kind() == static_cast<std::uint8_t>(LayerEntryKind::kWhiteout) &&
             layer_.name(*entry) == child.name;
    });
    return true;
  });
}

// `symlink` in `directory` is where the layer's directory `of_layer` would be.
Status LayerMerge::AddGraft(std::uint32_t directory, std::string_view symlink, std::uint32_t of_layer) {
  if (!grafted_.insert(of_layer).second) return Ok();
  auto path = tree_.PathOf(directory);
  path.push_back(symlink);
  VARVE_ASSIGN_OR_RETURN(const auto resolved, tree_.Resolve(path));
  graft_names_ += resolved.size() + 1;
  if (graft_names_ > kGraftNamesMax) {
    return Error(Code::kResourceExhausted,
                 fmt::format("entries below symlinks: more than {} names to follow", kGraftNamesMax));
  }
  Graft graft{{}, of_layer};
  for (const ResolvedName& name : resolved) graft.path.push_back(name.name);
  grafts_.push_back(std::move(graft));
  return Ok();
}

// The graft's place, made where it is missing. This layer may have put symlinks on the way since the path was located.
Result<std::uint32_t> LayerMerge::MakePlace(const Graft& graft) {
  VARVE_ASSIGN_OR_RETURN(const auto path, tree_.Resolve(graft.path));
  std::uint32_t place = MergedTree::kRoot;
  for (const ResolvedName& name : path) {
    if (name.directory == kMissingDirectory) {
      const std::uint32_t made = tree_.AddDirectory(place, name.name, {});
      tree_.Insert(place, {name.name, {0, made}});
      place = made;
    } else {
      place = name.directory;
    }
  }
  return place;
}

Status LayerMerge::Apply(std::size_t graft) {
  VARVE_ASSIGN_OR_RETURN(const std::uint32_t place, MakePlace(grafts_[graft]));
  const std::uint32_t root = grafts_[graft].directory;
  if (!IsImplied(root)) tree_.directory(place).attributes = {number_, root};
  work_.push_back({root, place});
  while (!work_.empty()) {
    const Pair pair = work_.back();
    work_.pop_back();
    VARVE_RETURN_IF_ERROR(MergeChildren(pair));
  }
  return Ok();
}

Status LayerMerge::MergeChildren(Pair pair) {
  const auto entries = layer_.entries(inode(pair.of_layer));
  std::vector<MergedChild> below = std::move(tree_.directory(pair.of_tree).children);
  std::vector<MergedChild> merged;
  merged.reserve(below.size() + entries.size());
  symlinks_.clear();
  auto child = below.begin();
  for (const fb::LayerEntry& entry : entries) {
    if (entry.kind() == static_cast<std::uint8_t>(LayerEntryKind::kWhiteout)) continue;
    const std::string_view name = layer_.name(entry);
    for (; child != below.end() && child->name < name; ++child) merged.push_back(*child);
    const bool exists = child != below.end() && child->name == name;
    VARVE_ASSIGN_OR_RETURN(const MergedNode node, MergeEntry(entry, pair.of_tree, exists ? &*child : nullptr));
    merged.push_back({name, node});
    if (exists) ++child;
  }
  merged.insert(merged.end(), child, below.end());
  tree_.directory(pair.of_tree).children = std::move(merged);
  for (const auto& [name, of_layer] : symlinks_) VARVE_RETURN_IF_ERROR(AddGraft(pair.of_tree, name, of_layer));
  return Ok();
}

// What the entry's name stands for from now on.
Result<MergedNode> LayerMerge::MergeEntry(const fb::LayerEntry& entry, std::uint32_t parent,
                                          const MergedChild* existing) {
  const std::string_view name = layer_.name(entry);
  if (entry.kind() == static_cast<std::uint8_t>(LayerEntryKind::kLowerLink)) {
    const MergedNode node = links_[entry.target()];
    if (node.layer == kPendingLink) pending_links_.push_back({parent, name, node.ordinal});
    return node;
  }
  const MergedNode own{number_, entry.target()};
  if (!IsDirectory(entry)) return own;
  const bool implied = IsImplied(entry.target());
  if (existing != nullptr && existing->node.is_directory()) {
    if (!implied) tree_.directory(existing->node.ordinal).attributes = own;
    work_.push_back({entry.target(), existing->node.ordinal});
    return existing->node;
  }
  if (existing != nullptr && implied) {
    if (!IsSymlink(existing->node)) return NotADirectory(parent, name);
    symlinks_.emplace_back(name, entry.target());
    return existing->node;
  }
  const std::uint32_t made = tree_.AddDirectory(parent, name, implied ? MergedNode{} : own);
  work_.push_back({entry.target(), made});
  return MergedNode{0, made};
}

}  // namespace

Status MergeLayers(std::span<const LayerIndex> layers, File& file) {
  if (layers.size() > kImageLayersMax) {
    return Error(Code::kInvalidArgument, fmt::format("{} layers, at most {} allowed", layers.size(), kImageLayersMax));
  }
  MergedTree tree(layers);
  std::size_t graft_names = 0;
  for (std::uint32_t i = 0; i < layers.size(); ++i) {
    LayerMerge merge(tree, layers[i], i + 1, graft_names);
    VARVE_RETURN_IF_ERROR(merge.Run().In(fmt::format("layer {} ({})", i + 1, layers[i].diff_id().ToString())));
  }
  return tree.Write(file);
}

}  // namespace varve
