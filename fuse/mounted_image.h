#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cached/base/fs.h"
#include "cached/base/root_paths.h"
#include "cached/client/mounts_client.h"
#include "cached/content/digest.h"
#include "cached/tree/image_index.h"
#include "cached/tree/layer_index.h"
#include "cached/tree/locator_table.h"

namespace varve {

// A layer index and its locator table, mapped. Immutable but for the words that the daemon stores in the table.
struct MountedLayer {
  // Any error of the files; kDataLoss if one is not what its name says.
  static Result<std::shared_ptr<const MountedLayer>> Open(const RootPaths& paths, const ImageSlots::Layer& layer);

  Digest diff_id;
  std::uint32_t slot;
  MappedFile file;
  LayerIndex index;
  LocatorTable locators;
};

// An image index, mapped, and its layers, lowest first.
struct MountedImage {
  using Layers = std::vector<std::shared_ptr<const MountedLayer>>;
  // kDataLoss also if `layers` are not those that the index names.
  static Result<std::unique_ptr<const MountedImage>> Open(const RootPaths& paths, const ChainId& chain_id,
                                                          std::uint32_t slot, Layers layers);

  // The path of a file of a layer, for messages; empty if the image has none. Walks the whole index.
  std::string PathOf(const MountedLayer& layer, std::uint32_t ordinal) const;

  ChainId chain_id;
  std::uint32_t slot;
  MappedFile file;
  ImageIndex index;
  Layers layers;
};

}  // namespace varve
