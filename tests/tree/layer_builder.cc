#include "tests/tree/layer_builder.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>

#include "cached/base/check.h"
#include "cached/content/sha256.h"
#include "cached/tree/merge.h"
#include "tests/support/fault_fs.h"

namespace varve {
namespace {

std::map<Digest, std::string>& Contents() {
  static std::map<Digest, std::string> contents;
  return contents;
}

EntryType TypeOf(std::string_view type) {
  if (type == "dir") return EntryType::kDirectory;
  if (type == "symlink") return EntryType::kSymlink;
  if (type == "hardlink") return EntryType::kHardLink;
  if (type == "char") return EntryType::kCharDevice;
  if (type == "block") return EntryType::kBlockDevice;
  if (type == "fifo") return EntryType::kFifo;
  return EntryType::kFile;
}

std::string WhiteoutPath(const TreeLine& line) {
  if (line.type == "opaque") return line.path + "/.wh..wh..opq";
  const std::size_t name = line.path.rfind('/') + 1;  // npos + 1 is 0
  return line.path.substr(0, name) + ".wh." + line.path.substr(name);
}

// Lists an image depth first.
class Lister {
 public:
  explicit Lister(const BuiltImage& image) : image_(image) {}

  std::vector<TreeLine> Run() {
    const TreeLine root = DirectoryLine(image_.index.inodes()[0], ".");
    if (root.ToString() != "dir .") lines_.push_back(root);
    List(image_.index.inodes()[0], "");
    std::ranges::sort(lines_, {}, &TreeLine::path);
    NameHardLinks();
    return std::move(lines_);
  }

 private:
  void List(const fb::ImageInode& directory, const std::string& prefix) {
    for (const fb::ImageEntry& entry : image_.index.entries(directory)) {
      const std::string path = prefix + std::string(image_.index.name(entry));
      if (entry.layer() != kOwnInode) {
        const fb::Inode& inode = image_.indexes[entry.layer() - 1u].inodes()[entry.ordinal()];
        lines_.push_back(FileLine(inode, path, entry.layer(), entry.ordinal(), inode.nlink()));
        continue;
      }
      const fb::ImageInode& own = image_.index.inodes()[entry.ordinal()];
      if (S_ISDIR(own.mode())) {
        lines_.push_back(DirectoryLine(own, path));
        List(own, path + "/");
      } else {
        lines_.push_back(FileLine(own, path, own.layer(), own.ordinal(), own.nlink()));
      }
    }
  }

  template <class Inode>
  TreeLine Attributes(const Inode& inode, std::string path, std::uint32_t layer, std::uint32_t ordinal) {
    TreeLine line{.path = std::move(path),
                  .mode = inode.mode() & 07777,
                  .uid = inode.uid(),
                  .gid = inode.gid(),
                  .mtime = inode.mtime_seconds()};
    if (layer == 0) return line;
    const LayerIndex& origin = image_.indexes[layer - 1];
    for (const fb::Xattr& xattr : origin.xattrs(origin.inodes()[ordinal])) {
      line.xattrs.emplace(origin.xattr_name(xattr), origin.xattr_value(xattr));
    }
    return line;
  }

  TreeLine DirectoryLine(const fb::ImageInode& directory, std::string path) {
    TreeLine line = Attributes(directory, std::move(path), directory.layer(), directory.ordinal());
    line.type = "dir";
    return line;
  }

  template <class Inode>
  TreeLine FileLine(const Inode& inode, const std::string& path, std::uint32_t layer, std::uint32_t ordinal,
                    std::uint32_t nlink) {
    TreeLine line = Attributes(inode, path, layer, ordinal);
    const LayerIndex& origin = image_.indexes[layer - 1];
    const fb::Inode& file = origin.inodes()[ordinal];
    line.nlink = nlink;
    line.type = S_ISREG(inode.mode())   ? "file"
                : S_ISLNK(inode.mode()) ? "symlink"
                : S_ISCHR(inode.mode()) ? "char"
                : S_ISBLK(inode.mode()) ? "block"
                                        : "fifo";
    if (S_ISLNK(inode.mode())) line.value = origin.symlink_target(file);
    if (S_ISCHR(inode.mode()) || S_ISBLK(inode.mode())) line.value = DeviceText(inode.device());
    for (std::size_t i = 0; S_ISREG(inode.mode()) && i < origin.extent_count(file); ++i) {
      line.value += ContentOf(DigestOf(origin.chunks()[origin.extent(file, i).chunk()].sha256()));
    }
    if (nlink > 1) names_[{layer, ordinal}].push_back(path);
    return line;
  }

  // Later names of an inode say which is the first, and no more.
  void NameHardLinks() {
    std::map<std::string, std::string> first;
    for (auto& [inode, paths] : names_) {
      std::ranges::sort(paths);
      for (std::size_t i = 1; i < paths.size(); ++i) first[paths[i]] = paths[0];
    }
    for (TreeLine& line : lines_) {
      if (const auto found = first.find(line.path); found != first.end()) {
        line = {.type = "hardlink", .path = line.path, .value = found->second};
      }
    }
  }

  const BuiltImage& image_;
  std::vector<TreeLine> lines_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<std::string>> names_;
};

}  // namespace

Result<Bytes> Written(const std::function<Status(File&)>& write) {
  FaultFs fs;  // in memory, and none of its operations fails
  {
    VARVE_ASSIGN_OR_RETURN(const auto file, fs.Open("/file", OpenMode::kCreateNew));
    VARVE_RETURN_IF_ERROR(write(*file));
  }
  return ReadWholeFile(fs, "/file", kIndexBytesMax);
}

const std::string& ContentOf(const Digest& chunk) { return Contents().at(chunk); }

std::string DeviceText(std::uint32_t device) {
  return fmt::format("{}:{}", (device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00));
}

Entry EntryOf(const TreeLine& line) {
  Entry entry;
  entry.type = TypeOf(line.type);
  entry.path = line.path;
  entry.mode = line.mode;
  entry.uid = line.uid;
  entry.gid = line.gid;
  entry.mtime_seconds = line.mtime;
  entry.xattrs = line.xattrs;
  if (line.type == "whiteout" || line.type == "opaque") entry.path = WhiteoutPath(line);
  if (line.type == "symlink" || line.type == "hardlink") entry.link_target = line.value;
  if (line.type == "file") entry.size_bytes = line.value.size();
  if (line.type == "char" || line.type == "block") {
    VARVE_CHECK(std::sscanf(line.value.c_str(), "%u:%u", &entry.device_major, &entry.device_minor) == 2);
  }
  return entry;
}

Result<BuiltLayer> Layer::Build(std::string_view name) const {
  LayerIndexBuilder builder{LayerLimits{}};
  for (const TreeLine& line : lines_) {
    std::vector<FileExtent> extents;
    if (line.type == "file" && !line.value.empty()) {
      const Digest digest = Sha256Of(AsBytes(line.value));
      const auto length = static_cast<std::uint32_t>(line.value.size());
      Contents()[digest] = line.value;
      extents.push_back({.offset = 0, .chunk = builder.AddChunk(digest, length), .length = length});
    }
    VARVE_RETURN_IF_ERROR(builder.Add(EntryOf(line), extents));
  }
  const Digest diff_id = Sha256Of(AsBytes(name));
  VARVE_ASSIGN_OR_RETURN(Bytes file, Written([&](varve::File& to) { return builder.Finish(to, diff_id, 10240); }));
  VARVE_ASSIGN_OR_RETURN(const LayerIndex index, LayerIndex::Open(file, diff_id, IndexCheck::kFull));
  return BuiltLayer{std::move(file), diff_id, index};
}

ChainId BuiltImage::chain_id() const {
  std::vector<Digest> diff_ids;
  for (const BuiltLayer& layer : layers) diff_ids.push_back(layer.diff_id);
  return ChainIdOf(diff_ids);
}

std::vector<TreeLine> BuiltImage::Lines() const { return Lister(*this).Run(); }

Result<BuiltImage> BuildImage(const std::vector<Layer>& layers) {
  std::vector<BuiltLayer> built;
  std::vector<LayerIndex> indexes;
  std::vector<Digest> diff_ids;
  for (const Layer& layer : layers) {
    VARVE_ASSIGN_OR_RETURN(BuiltLayer one, layer.Build(fmt::format("layer {}", built.size() + 1)));
    indexes.push_back(one.index);
    diff_ids.push_back(one.diff_id);
    built.push_back(std::move(one));
  }
  VARVE_ASSIGN_OR_RETURN(Bytes file, Written([&](File& to) { return MergeLayers(indexes, to); }));
  VARVE_ASSIGN_OR_RETURN(const ImageIndex index, ImageIndex::Open(file, ChainIdOf(diff_ids), IndexCheck::kFull));
  VARVE_RETURN_IF_ERROR(index.CheckAgainst(indexes));
  return BuiltImage{std::move(built), std::move(indexes), std::move(file), index};
}

}  // namespace varve
