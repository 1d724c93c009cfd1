#include "cached/tree/layer_index_builder.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>
#include <random>

#include "cached/tree/layer_draft.h"
#include "cached/tree/layer_index.h"
#include "cached/tree/ordinal_set.h"
#include "cached/tree/path.h"
#include "cached/tree/whiteout.h"

// One layer's tar, entry by entry, into its index.
//
// The tar is a list of changes in an order that matters; the index is a tree in which it no longer does. What the order
// decides inside the layer is decided here; what concerns the layers below is only noted (whiteout, opaque, implied, a
// hard link to below), because the index of a layer must not depend on what it is stacked on: it is named by the diff
// ID and shared by every image that has it.
//
// Three tables: names (directory, name -> what is there), inodes, and the pool of all strings. A name is found by hash,
// so that an entry costs a few lookups wherever its directory was mentioned last. Removal is rare and cheap: a name is
// pointed elsewhere, and the subtree below it, which no name leads to any more, stays behind when the index is written
// (layer_draft.cc).
//
// Not done: keeping each directory's names in a sorted container (a node of std::map costs more than all we keep of an
// entry); sorting at the end by full path (the paths of a real image are five times the size of its names).
namespace varve {
namespace {

constexpr std::uint32_t kDirectoryMode = S_IFDIR | 0755;

Error Invalid(std::string message) { return Error(Code::kInvalidArgument, std::move(message)); }

// The kernel's 32-bit form of st_rdev (new_encode_dev): 12 bits of major inside 20 of minor.
Result<std::uint32_t> PackDevice(std::uint32_t major, std::uint32_t minor) {
  if (major >= 1u << 12 || minor >= 1u << 20)
    return Invalid(fmt::format("device {}:{} is beyond Linux's range", major, minor));
  return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

std::uint32_t FileTypeBits(EntryType type) {
  switch (type) {
    case EntryType::kFile:
      return S_IFREG;
    case EntryType::kSymlink:
      return S_IFLNK;
    case EntryType::kCharDevice:
      return S_IFCHR;
    case EntryType::kBlockDevice:
      return S_IFBLK;
    case EntryType::kDirectory:
      return S_IFDIR;
    case EntryType::kFifo:
      return S_IFIFO;
    case EntryType::kHardLink:
      break;
  }
  VARVE_CHECK(false);
}

}  // namespace

class LayerIndexBuilder::Tree {
 public:
  explicit Tree(const LayerLimits& limits)
      : limits_(limits),
        seed_(std::random_device()()),
        draft_{.names = {}, .inodes = {}, .extents = {}, .lower_links = {}, .tables{limits.pool_bytes_max, seed_}} {
    draft_.inodes.push_back(ImpliedDirectory());
  }

  std::uint32_t AddChunk(const Digest& sha256, std::uint32_t raw_length) {
    return draft_.tables.AddChunk(sha256, raw_length);
  }
  Status Add(const Entry& entry, std::span<const FileExtent> extents);
  std::size_t size_bytes() const { return draft_.size_bytes(); }
  LayerDraft Take() { return std::move(draft_); }

 private:
  using Target = DraftName::Target;

  static fb::Inode ImpliedDirectory() { return {0, 0, 0, kDirectoryMode, 0, 0, 0, 0, 0, 0, 0, kInodeImplied}; }

  // Reading the tree.
  std::uint64_t Hash(std::uint32_t directory, std::string_view text) const {
    return XXH3_64bits_withSeed(text.data(), text.size(), seed_ ^ (std::uint64_t{directory} << 32));
  }
  const DraftName* Find(std::uint32_t directory, std::string_view text) const;
  PathStep Step(std::uint32_t directory, std::string_view text) const;
  Result<std::vector<ResolvedName>> Resolve(std::span<const std::string_view> names) const;

  // Changing it.
  Error TooMany() const;
  Result<std::uint32_t> AddInode(const fb::Inode& inode);
  Result<DraftName*> Make(std::uint32_t directory, std::string_view text);
  Result<std::uint32_t> MakeDirectory(std::span<const std::string_view> names);
  Status Put(const Entry& entry, std::span<const FileExtent> extents);
  void ReplaceDirectory(std::uint32_t ordinal, fb::Inode attributes);
  Status PutInode(std::uint32_t directory, std::string_view text, const fb::Inode& inode);
  Status PutHardLink(std::uint32_t directory, std::string_view text, std::string_view path);
  Result<fb::Inode> MakeInode(const Entry& entry, std::span<const FileExtent> extents);
  void SetContent(std::uint64_t size_bytes, std::span<const FileExtent> extents, fb::Inode& inode);

  const LayerLimits limits_;
  const std::uint64_t seed_;  // a tar made to collide in one process does not in the next
  OrdinalSet names_by_text_;
  LayerDraft draft_;
};

const DraftName* LayerIndexBuilder::Tree::Find(std::uint32_t directory, std::string_view text) const {
  const std::uint32_t found = names_by_text_.Find(Hash(directory, text), [&](std::uint32_t i) {
    return draft_.names[i].directory == directory && draft_.Text(draft_.names[i]) == text;
  });
  return found == kNoOrdinal ? nullptr : &draft_.names[found];
}

PathStep LayerIndexBuilder::Tree::Step(std::uint32_t directory, std::string_view text) const {
  const DraftName* name = Find(directory, text);
  if (name == nullptr || name->kind == Target::kNothing) return {};
  if (name->kind == Target::kLowerLink) return {PathStep::Kind::kOther, 0, {}};
  const fb::Inode& inode = draft_.inodes[name->target];
  if (S_ISDIR(inode.mode())) return {PathStep::Kind::kDirectory, name->target, {}};
  if (S_ISLNK(inode.mode())) return {PathStep::Kind::kSymlink, 0, draft_.tables.Text(inode.first(), inode.count())};
  return {PathStep::Kind::kOther, 0, {}};
}

Error LayerIndexBuilder::Tree::TooMany() const {
  return Error(Code::kResourceExhausted, fmt::format("the layer has more than {} entries", limits_.entries_max));
}

Result<std::uint32_t> LayerIndexBuilder::Tree::AddInode(const fb::Inode& inode) {
  if (draft_.inodes.size() > limits_.entries_max) return TooMany();
  draft_.inodes.push_back(inode);
  return static_cast<std::uint32_t>(draft_.inodes.size() - 1);
}

// The name, new if need be.
Result<DraftName*> LayerIndexBuilder::Tree::Make(std::uint32_t directory, std::string_view text) {
  if (const DraftName* name = Find(directory, text); name != nullptr) return const_cast<DraftName*>(name);
  if (draft_.names.size() >= limits_.entries_max) return TooMany();
  VARVE_ASSIGN_OR_RETURN(const std::uint32_t at, draft_.tables.AddText(text));
  DraftName& made = draft_.names.push_back(
      {.directory = directory, .text = at, .text_length = static_cast<std::uint8_t>(text.size())});
  const auto hash = [&](std::uint32_t i) { return Hash(draft_.names[i].directory, draft_.Text(draft_.names[i])); };
  names_by_text_.Insert(static_cast<std::uint32_t>(draft_.names.size() - 1), hash);
  return &made;
}

Result<std::vector<ResolvedName>> LayerIndexBuilder::Tree::Resolve(std::span<const std::string_view> names) const {
  return ResolveDirectory(LayerDraft::kRoot, names,
                          [this](std::uint32_t directory, std::string_view text) { return Step(directory, text); });
}

Result<std::uint32_t> LayerIndexBuilder::Tree::MakeDirectory(std::span<const std::string_view> names) {
  VARVE_ASSIGN_OR_RETURN(const auto path, Resolve(names));
  std::uint32_t directory = LayerDraft::kRoot;
  std::vector<std::string> missing;  // copies: they may be views of the pool, which grows
  for (const ResolvedName& name : path) {
    if (name.directory == kMissingDirectory) {
      missing.emplace_back(name.name);
    } else {
      directory = name.directory;
    }
  }
  for (const std::string& text : missing) {
    VARVE_ASSIGN_OR_RETURN(DraftName* const name, Make(directory, text));
    VARVE_ASSIGN_OR_RETURN(directory, AddInode(ImpliedDirectory()));
    name->kind = Target::kInode;
    name->target = directory;
  }
  return directory;
}

Status LayerIndexBuilder::Tree::Add(const Entry& entry, std::span<const FileExtent> extents) {
  return Put(entry, extents).In(fmt::format("entry \"{}\"", entry.path));
}

Status LayerIndexBuilder::Tree::Put(const Entry& entry, std::span<const FileExtent> extents) {
  VARVE_ASSIGN_OR_RETURN(const auto names, SplitPath(entry.path));
  if (names.empty()) {
    if (entry.type != EntryType::kDirectory) return Invalid("the root can only be a directory");
    VARVE_ASSIGN_OR_RETURN(const fb::Inode root, MakeInode(entry, extents));
    ReplaceDirectory(LayerDraft::kRoot, root);
    return Ok();
  }
  const std::string_view text = names.back();
  const auto parents = std::span(names).first(names.size() - 1);
  for (const std::string_view parent : parents) {
    VARVE_ASSIGN_OR_RETURN(const Whiteout whiteout, ParseWhiteout(parent));
    if (whiteout.kind == Whiteout::Kind::kName || whiteout.kind == Whiteout::Kind::kOpaque)
      return Invalid("lies below a whiteout");
  }
  VARVE_ASSIGN_OR_RETURN(const Whiteout whiteout, ParseWhiteout(text));
  VARVE_ASSIGN_OR_RETURN(const std::uint32_t directory, MakeDirectory(parents));
  if (whiteout.kind == Whiteout::Kind::kOpaque) {
    draft_.inodes[directory].mutate_flags(draft_.inodes[directory].flags() | kInodeOpaque);
    return Ok();
  }
  if (whiteout.kind == Whiteout::Kind::kName) {
    VARVE_ASSIGN_OR_RETURN(DraftName* const name, Make(directory, whiteout.hidden));
    name->hides_below = true;
    return Ok();
  }
  if (entry.type == EntryType::kHardLink) return PutHardLink(directory, text, entry.link_target);
  VARVE_ASSIGN_OR_RETURN(const fb::Inode inode, MakeInode(entry, extents));
  return PutInode(directory, text, inode);
}

// A directory's new attributes; what is in it, and whether it is opaque, stays.
void LayerIndexBuilder::Tree::ReplaceDirectory(std::uint32_t ordinal, fb::Inode attributes) {
  attributes.mutate_flags(draft_.inodes[ordinal].flags() & kInodeOpaque);
  draft_.inodes[ordinal] = attributes;
}

Status LayerIndexBuilder::Tree::PutInode(std::uint32_t directory, std::string_view text, const fb::Inode& inode) {
  VARVE_ASSIGN_OR_RETURN(DraftName* const name, Make(directory, text));
  if (S_ISDIR(inode.mode()) && draft_.IsDirectory(*name)) {
    ReplaceDirectory(name->target, inode);
    return Ok();
  }
  // What was here has replaced what is below, and taking it away again does not bring that back.
  if (name->kind != Target::kNothing) name->hides_below = true;
  VARVE_ASSIGN_OR_RETURN(name->target, AddInode(inode));
  name->kind = Target::kInode;
  return Ok();
}

// The link's own attributes are ignored: the inode has some already, and well-made tars repeat them.
Status LayerIndexBuilder::Tree::PutHardLink(std::uint32_t directory, std::string_view text, std::string_view path) {
  const auto context = [&] { return fmt::format("hard link to \"{}\"", path); };
  VARVE_ASSIGN_OR_RETURN(const auto names, SplitPath(path).In(context()));
  if (names.empty()) return Invalid("a hard link to the root");
  VARVE_ASSIGN_OR_RETURN(const auto parents, Resolve(std::span(names).first(names.size() - 1)).In(context()));
  const std::uint32_t parent = parents.empty() ? LayerDraft::kRoot : parents.back().directory;
  const DraftName* const found = parent == kMissingDirectory ? nullptr : Find(parent, names.back());
  DraftName joined{};
  if (found != nullptr && found->kind != Target::kNothing) {
    if (draft_.IsDirectory(*found)) return Invalid(context() + ": is a directory");
    joined = *found;
  } else {
    const std::string normal = fmt::format("{}", fmt::join(names, "/"));
    VARVE_ASSIGN_OR_RETURN(const std::uint32_t at, draft_.tables.AddText(normal));
    joined.kind = Target::kLowerLink;
    joined.target = static_cast<std::uint32_t>(draft_.lower_links.size());
    draft_.lower_links.emplace_back(at, static_cast<std::uint32_t>(normal.size()));
  }
  VARVE_ASSIGN_OR_RETURN(DraftName* const name, Make(directory, text));
  name->kind = joined.kind;
  name->target = joined.target;
  return Ok();
}

Result<fb::Inode> LayerIndexBuilder::Tree::MakeInode(const Entry& entry, std::span<const FileExtent> extents) {
  constexpr std::uint32_t kPermissions = 07777;
  if (entry.mtime_nanoseconds >= 1'000'000'000) return Invalid(fmt::format("{} nanoseconds", entry.mtime_nanoseconds));
  fb::Inode inode;
  inode.mutate_mode(FileTypeBits(entry.type) | (entry.mode & kPermissions));
  inode.mutate_uid(entry.uid);
  inode.mutate_gid(entry.gid);
  inode.mutate_mtime_seconds(entry.mtime_seconds);
  inode.mutate_mtime_nanoseconds(entry.mtime_nanoseconds);
  VARVE_ASSIGN_OR_RETURN(const std::uint32_t xattr_set, draft_.tables.AddXattrs(entry.xattrs));
  inode.mutate_xattr_set(xattr_set);
  if (entry.type == EntryType::kFile) SetContent(entry.size_bytes, extents, inode);
  if (entry.type == EntryType::kCharDevice || entry.type == EntryType::kBlockDevice) {
    VARVE_ASSIGN_OR_RETURN(const std::uint32_t device, PackDevice(entry.device_major, entry.device_minor));
    inode.mutate_device(device);
  }
  if (entry.type == EntryType::kSymlink) {
    const std::string& target = entry.link_target;
    if (target.empty() || target.size() > kSymlinkTargetBytesMax || target.find('\0') != target.npos) {
      return Invalid(fmt::format("a symlink with a target of {} bytes, 1 to {} allowed and no NUL", target.size(),
                                 kSymlinkTargetBytesMax));
    }
    VARVE_ASSIGN_OR_RETURN(const std::uint32_t at, draft_.tables.AddText(target));
    inode.mutate_first(at);
    inode.mutate_count(static_cast<std::uint32_t>(target.size()));
    inode.mutate_size(target.size());
  }
  return inode;
}

void LayerIndexBuilder::Tree::SetContent(std::uint64_t size_bytes, std::span<const FileExtent> extents,
                                         fb::Inode& inode) {
  std::uint64_t end = 0;
  for (const FileExtent& extent : extents) {
    VARVE_CHECK(extent.chunk < draft_.tables.chunks.size() &&
                extent.length == draft_.tables.chunks[extent.chunk].raw_length());
    VARVE_CHECK(extent.offset >= end && extent.offset <= size_bytes && extent.length <= size_bytes - extent.offset);
    end = extent.offset + extent.length;
  }
  inode.mutate_size(size_bytes);
  if (extents.size() == 1 && extents[0].length == size_bytes) {
    inode.mutate_flags(kInodeOneChunk);
    inode.mutate_first(extents[0].chunk);
    return;
  }
  inode.mutate_first(static_cast<std::uint32_t>(draft_.extents.size()));
  inode.mutate_count(static_cast<std::uint32_t>(extents.size()));
  for (const FileExtent& extent : extents) draft_.extents.emplace_back(extent.offset, extent.chunk, extent.length);
}

LayerIndexBuilder::LayerIndexBuilder(const LayerLimits& limits) : tree_(std::make_unique<Tree>(limits)) {}
LayerIndexBuilder::~LayerIndexBuilder() = default;
LayerIndexBuilder::LayerIndexBuilder(LayerIndexBuilder&&) noexcept = default;

std::uint32_t LayerIndexBuilder::AddChunk(const Digest& sha256, std::uint32_t raw_length) {
  return tree_->AddChunk(sha256, raw_length);
}

Status LayerIndexBuilder::Add(const Entry& entry, std::span<const FileExtent> extents) {
  return tree_->Add(entry, extents);
}

std::size_t LayerIndexBuilder::size_bytes() const { return tree_->size_bytes(); }

Status LayerIndexBuilder::Finish(File& file, const Digest& diff_id, std::uint64_t tar_bytes) {
  LayerDraft draft = tree_->Take();
  tree_.reset();  // and what only adding needs
  return WriteLayerIndex(std::move(draft), file, diff_id, tar_bytes);
}

}  // namespace varve
