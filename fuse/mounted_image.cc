#include "fuse/mounted_image.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <utility>

namespace varve {

Result<std::shared_ptr<const MountedLayer>> MountedLayer::Open(const RootPaths& paths, const ImageSlots::Layer& layer) {
  const std::string path = paths.layer_index(layer.diff_id.hex());
  VARVE_ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(Fs::Real(), path));
  VARVE_ASSIGN_OR_RETURN(const LayerIndex index,
                         LayerIndex::Open(file.bytes(), layer.diff_id, IndexCheck::kChecksum).In(path));
  const std::string locators_path = paths.locators(layer.diff_id.hex());
  VARVE_ASSIGN_OR_RETURN(LocatorTable locators,
                         LocatorTable::Open(Fs::Real(), locators_path, layer.diff_id, index.chunks().size(),
                                            LocatorTable::Access::kReadOnly)
                             .In(locators_path));
  return std::make_shared<const MountedLayer>(layer.diff_id, layer.slot, std::move(file), index, std::move(locators));
}

Result<std::unique_ptr<const MountedImage>> MountedImage::Open(const RootPaths& paths, const ChainId& chain_id,
                                                               std::uint32_t slot, Layers layers) {
  const std::string path = paths.image_index(chain_id.hex());
  VARVE_ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(Fs::Real(), path));
  VARVE_ASSIGN_OR_RETURN(const ImageIndex index,
                         ImageIndex::Open(file.bytes(), chain_id, IndexCheck::kChecksum).In(path));
  bool same = index.layers().size() == layers.size();
  for (std::size_t i = 0; same && i < layers.size(); ++i) same = index.layer(i) == layers[i]->diff_id;
  if (!same) return Error(Code::kDataLoss, path + ": its layers are not those that the daemon names");
  return std::make_unique<const MountedImage>(chain_id, slot, std::move(file), index, std::move(layers));
}

std::string MountedImage::PathOf(const MountedLayer& layer, std::uint32_t ordinal) const {
  const auto inodes = index.inodes();
  const auto leads_there = [&](const fb::ImageEntry& entry) {
    if (entry.layer() != 0) return layers[entry.layer() - 1u]->slot == layer.slot && entry.ordinal() == ordinal;
    const fb::ImageInode& own = inodes[entry.ordinal()];
    return own.layer() != 0 && layers[own.layer() - 1u]->slot == layer.slot && own.ordinal() == ordinal;
  };
  const auto name_in = [&](const fb::ImageInode& directory, const auto& wanted) -> std::string {
    for (const fb::ImageEntry& entry : index.entries(directory)) {
      if (wanted(entry)) return "/" + std::string(index.name(entry));
    }
    return {};
  };
  for (std::size_t i = 0; i < inodes.size(); ++i) {
    if (!S_ISDIR(inodes[i].mode())) continue;
    std::string path = name_in(inodes[i], leads_there);
    if (path.empty()) continue;
    for (std::size_t child = i; child != 0; child = inodes[child].parent()) {
      path.insert(0, name_in(inodes[inodes[child].parent()], [&](const fb::ImageEntry& entry) {
                    return entry.layer() == 0 && entry.ordinal() == child;
                  }));
    }
    return path;
  }
  return {};
}

}  // namespace varve
