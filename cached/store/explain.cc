#include <sys/stat.h>

#include <algorithm>
#include <unordered_map>

#include "cached/store/images.h"
#include "cached/store/usage.h"

namespace varve {
namespace {

std::string TypeName(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return "file";
    case S_IFDIR:
      return "directory";
    case S_IFLNK:
      return "symlink";
    case S_IFCHR:
      return "character device";
    case S_IFBLK:
      return "block device";
    case S_IFIFO:
      return "fifo";
    default:
      return "socket";
  }
}

// Where an inode's attributes and content are: a layer's number (1 is the lowest; 0 for none) and ordinal.
struct Origin {
  std::uint32_t mode = 0;
  std::uint32_t layer = 0;
  std::uint32_t ordinal = 0;
};

Result<Origin> FindOrigin(const ImageIndex& image, std::string_view path) {
  const fb::ImageInode* inode = &image.inodes()[0];
  Origin origin{inode->mode(), inode->layer(), inode->ordinal()};
  const std::string asked(path);
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (name.empty() || name == ".") continue;
    const fb::ImageEntry* entry =
        inode == nullptr || (inode->mode() & S_IFMT) != S_IFDIR ? nullptr : image.Find(*inode, name);
    if (entry == nullptr) return Error(Code::kNotFound, asked + ": no such path in the image");
    if (entry->layer() != 0) {
      origin = {0, entry->layer(), entry->ordinal()};
      inode = nullptr;
    } else {
      inode = &image.inodes()[entry->ordinal()];
      origin = {inode->mode(), inode->layer(), inode->ordinal()};
    }
  }
  return origin;
}

// Names the other images that have each of `chunks`. One that goes meanwhile is not named.
Status AddSharers(Store& store, const Digest& self, std::vector<FileExplanation::Chunk>& chunks) {
  std::unordered_map<Digest, std::vector<std::size_t>> wanted;
  for (std::size_t i = 0; i < chunks.size(); ++i) wanted[chunks[i].sha256].push_back(i);
  VARVE_ASSIGN_OR_RETURN(const StoreUsage usage, UsageOf(store, UsageDetail::kTotals));
  for (const StoreUsage::Image& image : usage.images) {
    if (image.manifest == self) continue;
    LeaseTable::Session session(store.leases());
    VARVE_ASSIGN_OR_RETURN(const auto record, FindLeased(store, image.manifest, Leased::kLayers, session));
    if (!record) continue;
    const std::string name = image.names.empty() ? image.manifest.ToString() : image.names.front();
    VARVE_ASSIGN_OR_RETURN(const std::vector<Digest> diff_ids, DiffIdsOf(*record));
    for (const Digest& diff_id : diff_ids) {
      VARVE_ASSIGN_OR_RETURN(const MappedLayer layer, store.index_files().OpenLayer(diff_id));
      for (const fb::Chunk& chunk : layer.index.chunks()) {
        const auto found = wanted.find(DigestOf(chunk.sha256()));
        if (found == wanted.end()) continue;
        for (const std::size_t i : found->second) {
          auto& images = chunks[i].images;
          if (images.empty() || images.back() != name) images.push_back(name);
        }
      }
    }
  }
  return Ok();
}

}  // namespace

Result<FileExplanation> ExplainFile(Store& store, const Digest& manifest, std::string_view path) {
  LeaseTable::Session session(store.leases());
  VARVE_ASSIGN_OR_RETURN(const auto record, FindLeased(store, manifest, Leased::kLayersAndIndex, session));
  if (!record) return Error(Code::kNotFound, "image " + manifest.ToString() + ": is not stored");
  VARVE_ASSIGN_OR_RETURN(const Digest chain, Digest::FromBytes(AsBytes(record->chain_id())));
  VARVE_ASSIGN_OR_RETURN(const MappedImage image, store.index_files().OpenImage(ChainId{chain}));
  VARVE_ASSIGN_OR_RETURN(const Origin origin, FindOrigin(image.index, path));
  FileExplanation explanation;
  explanation.type = TypeName(origin.mode);
  explanation.layer = origin.layer;
  if (origin.layer == 0) return explanation;
  explanation.diff_id = image.index.layer(origin.layer - 1);
  VARVE_ASSIGN_OR_RETURN(const MappedLayer layer, store.index_files().OpenLayer(explanation.diff_id));
  const fb::Inode& inode = layer.index.inodes()[origin.ordinal];
  explanation.type = TypeName(inode.mode());
  explanation.size_bytes = inode.size();
  if ((inode.mode() & S_IFMT) != S_IFREG || inode.size() == 0) return explanation;
  const auto add = [&](std::uint64_t offset, std::uint32_t ordinal) -> Status {
    const fb::Chunk& chunk = layer.index.chunks()[ordinal];
    FileExplanation::Chunk one{DigestOf(chunk.sha256()), offset, chunk.raw_length(), std::nullopt, {}};
    VARVE_ASSIGN_OR_RETURN(one.placement,
                           GetRecord<store::Placement>(store.database(), Column::kChunk, KeyOf(one.sha256)));
    explanation.chunks.push_back(std::move(one));
    return Ok();
  };
  for (std::size_t i = 0; i < layer.index.extent_count(inode); ++i) {
    const fb::Extent extent = layer.index.extent(inode, i);
    VARVE_RETURN_IF_ERROR(add(extent.offset(), extent.chunk()));
  }
  VARVE_RETURN_IF_ERROR(AddSharers(store, manifest, explanation.chunks));
  return explanation;
}

}  // namespace varve
