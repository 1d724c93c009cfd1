#include "cached/store/image_contents.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "cached/store/images.h"

namespace varve {
namespace {

Result<store::Manifest> LeasedImage(const Store& store, const Digest& manifest, Leased what,
                                    LeaseTable::Session& session) {
  VARVE_ASSIGN_OR_RETURN(auto record, FindLeased(store, manifest, what, session));
  if (!record) return Error(Code::kNotFound, "image " + manifest.ToString() + ": is not stored");
  return std::move(*record);
}

using Layers = std::map<Digest, MappedLayer>;

// The layers of `image`, each of which is mapped once.
Result<std::vector<LayerIndex>> OpenLayers(Store& store, const MappedImage& image, Layers& mapped) {
  std::vector<LayerIndex> layers;
  layers.reserve(image.index.layers().size());
  for (std::size_t i = 0; i < image.index.layers().size(); ++i) {
    const Digest diff_id = image.index.layer(i);
    auto found = mapped.find(diff_id);
    if (found == mapped.end()) {
      VARVE_ASSIGN_OR_RETURN(MappedLayer layer, store.index_files().OpenLayer(diff_id));
      found = mapped.emplace(diff_id, std::move(layer)).first;
    }
    layers.push_back(found->second.index);
  }
  return layers;
}

Result<MappedImage> OpenImage(Store& store, const store::Manifest& record) {
  VARVE_ASSIGN_OR_RETURN(const Digest chain, Digest::FromBytes(AsBytes(record.chain_id())));
  return store.index_files().OpenImage(ChainId{chain});
}

// Walks through one layer index.
class LayerWalk {
 public:
  LayerWalk(const LayerIndex& layer, std::size_t most) : layer_(layer), most_(most), seen_(layer.inodes().size()) {
    contents_.diff_id = layer.diff_id();
    contents_.tar_bytes = layer.tar_bytes();
  }

  LayerContents Contents() && {
    Walk(layer_.inodes()[0], "");
    std::ranges::sort_heap(contents_.biggest, Bigger);
    return std::move(contents_);
  }

 private:
  static bool Bigger(const LayerContents::File& a, const LayerContents::File& b) {
    return std::tie(b.size_bytes, a.path) < std::tie(a.size_bytes, b.path);
  }

  // The depth of a layer's tree is bounded (kDepthMax).
  void Walk(const fb::Inode& directory, const std::string& path) {
    if ((directory.flags() & kInodeOpaque) != 0) ++contents_.whiteouts;
    for (const fb::LayerEntry& entry : layer_.entries(directory)) {
      const auto kind = static_cast<LayerEntryKind>(entry.kind());
      if (kind == LayerEntryKind::kWhiteout) ++contents_.whiteouts;
      if (kind != LayerEntryKind::kInode) continue;
      const fb::Inode& inode = layer_.inodes()[entry.target()];
      const std::string child = path + "/" + std::string(layer_.name(entry));
      if ((inode.mode() & S_IFMT) == S_IFDIR) {
        Walk(inode, child);
      } else if ((inode.mode() & S_IFMT) == S_IFREG && !seen_[entry.target()]) {
        seen_[entry.target()] = true;
        Add({child, inode.size()});
      }
    }
  }

  // `biggest` is a heap with the smallest of them in front.
  void Add(LayerContents::File file) {
    ++contents_.files;
    contents_.file_bytes += file.size_bytes;
    auto& biggest = contents_.biggest;
    if (biggest.size() == most_ && (most_ == 0 || !Bigger(file, biggest.front()))) return;
    biggest.push_back(std::move(file));
    std::ranges::push_heap(biggest, Bigger);
    if (biggest.size() <= most_) return;
    std::ranges::pop_heap(biggest, Bigger);
    biggest.pop_back();
  }

  const LayerIndex& layer_;
  const std::size_t most_;
  std::vector<bool> seen_;  // inodes, which may have several names
  LayerContents contents_;
};

}  // namespace

Status DiffStoredImages(Store& store, const Digest& from, const Digest& to, std::string_view path,
                        const std::function<Status(const PathChange&)>& each) {
  LeaseTable::Session session(store.leases());
  VARVE_ASSIGN_OR_RETURN(const store::Manifest before, LeasedImage(store, from, Leased::kLayersAndIndex, session));
  VARVE_ASSIGN_OR_RETURN(const store::Manifest after, LeasedImage(store, to, Leased::kLayersAndIndex, session));
  VARVE_ASSIGN_OR_RETURN(const MappedImage before_image, OpenImage(store, before));
  VARVE_ASSIGN_OR_RETURN(const MappedImage after_image, OpenImage(store, after));
  Layers mapped;
  VARVE_ASSIGN_OR_RETURN(const std::vector<LayerIndex> before_layers, OpenLayers(store, before_image, mapped));
  VARVE_ASSIGN_OR_RETURN(const std::vector<LayerIndex> after_layers, OpenLayers(store, after_image, mapped));
  return DiffImages({before_image.index, before_layers}, {after_image.index, after_layers}, path, each);
}

Result<std::vector<LayerContents>> ContentsOf(Store& store, const Digest& manifest, std::size_t most) {
  LeaseTable::Session session(store.leases());
  VARVE_ASSIGN_OR_RETURN(const store::Manifest record, LeasedImage(store, manifest, Leased::kLayers, session));
  VARVE_ASSIGN_OR_RETURN(const std::vector<Digest> diff_ids, DiffIdsOf(record));
  std::vector<LayerContents> layers;
  layers.reserve(diff_ids.size());
  for (const Digest& diff_id : diff_ids) {
    VARVE_ASSIGN_OR_RETURN(const MappedLayer layer, store.index_files().OpenLayer(diff_id));
    layers.push_back(LayerWalk(layer.index, most).Contents());
  }
  return layers;
}

}  // namespace varve
