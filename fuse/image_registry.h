#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cached/base/mutex.h"
#include "cached/base/root_paths.h"
#include "cached/client/mounts_client.h"
#include "fuse/mounted_image.h"
#include "fuse/node_id.h"

namespace varve {

// An inode as one of the two indexes, or both, describe it.
struct Node {
  const MountedImage* image = nullptr;  // of a directory or other own inode of an image; else null
  const fb::ImageInode* own = nullptr;  // set if `image` is
  const MountedLayer* layer = nullptr;  // whose xattrs and content these are; null only if `own` says "nobody's"
  const fb::Inode* inode = nullptr;     // set if `layer` is

  // Of `inode` in its layer.
  std::uint32_t ordinal() const { return static_cast<std::uint32_t>(inode - layer->index.inodes().data()); }
};

// The images that are served, found by slot without a lock.
//
// A request names nodes whose slots the kernel got from a lookup and has not forgotten, so what Find returns lives for
// as long as the request does: an image is unmapped only once the kernel has forgotten all of its inodes (lookups -
// forgets = 0), under the mutex under which the root's lookups count. A layer goes with its last image, or later, when
// its own inodes are forgotten too. Thread-safe.
class ImageRegistry {
 public:
  // `mounts` must outlive the registry.
  ImageRegistry(RootPaths paths, Mounts& mounts) : paths_(std::move(paths)), mounts_(mounts) {}
  ~ImageRegistry();

  enum class Added { kNow, kBefore };
  // Asks the daemon for the image's slots and maps it, unless it is served already. Errors name the image.
  Result<Added> Add(const ChainId& chain_id);

  // The root of the image named in hex, counted as one lookup.
  std::optional<NodeId> LookUpImage(std::string_view hex);
  // Empty for the mount's root and for numbers that no lookup returned.
  std::optional<Node> Find(NodeId id) const;
  static std::pair<NodeId, Node> Resolve(const MountedImage& image, const fb::ImageEntry& entry);

  // Before a reply tells the kernel of the node, and when it forgets it.
  void CountLookup(NodeId id);
  void Forget(NodeId id, std::uint64_t lookups);

  // Keeps the layer mapped, for work outside of a request; null if no image has it any more.
  std::shared_ptr<const MountedLayer> HoldLayer(std::uint32_t slot) const;

  std::vector<ChainId> Serving() const;
  // Waits until the kernel has forgotten all of `images`, at most for `timeout`, and unmaps those that it has. Returns
  // those of `images` that are served no more.
  std::vector<ChainId> RemoveForgotten(std::span<const ChainId> images, std::chrono::milliseconds timeout);

  // Chain ID, in hex, of an image that has the layer; empty if none is served.
  std::string ImageOf(const MountedLayer& layer) const;
  struct Place {
    std::string image;  // chain ID, hex
    std::string path;   // empty if unknown
  };
  // Where a file that has a layer is seen in an image that is served, for messages. Walks the image's index.
  Place FindPlace(const Node& file) const;
  struct Totals {
    std::uint64_t bytes = 0;
    std::uint64_t inodes = 0;
  };
  // Of the image that the node belongs to; of one of them, if it is a layer's.
  Totals TotalsOf(const Node& node) const;
  // Names the file that is mapped at `address`; empty if none is. For the SIGBUS handler: takes no lock.
  std::string MappingAt(const void* address) const;

 private:
  struct Slot {
    std::atomic<const MountedImage*> image = nullptr;
    std::atomic<const MountedLayer*> layer = nullptr;
    std::atomic<std::uint64_t> lookups = 0;
  };
  static constexpr std::size_t kPageSlots = 1024;
  using Page = std::array<Slot, kPageSlots>;
  using Doomed =
      std::pair<std::vector<std::unique_ptr<const MountedImage>>, std::vector<std::shared_ptr<const MountedLayer>>>;

  Slot* FindSlot(std::uint32_t slot) const;
  Slot& MakeSlot(std::uint32_t slot) REQUIRES(mutex_);
  Result<MountedImage::Layers> MapLayers(const ImageSlots& slots);
  const MountedImage* FindImageOf(const MountedLayer& layer) const REQUIRES(mutex_);
  bool Forgotten(std::span<const ChainId> images) const REQUIRES(mutex_);
  Doomed TakeForgotten(std::span<const ChainId> images) REQUIRES(mutex_);

  const RootPaths paths_;
  Mounts& mounts_;

  // Pages are made on demand and live as long as the registry, so that a count can be read at any time.
  std::array<std::atomic<Page*>, (kSlotMax + 1) / kPageSlots> pages_{};

  mutable Mutex mutex_;
  CondVar forgotten_;
  std::map<ChainId, std::unique_ptr<const MountedImage>> images_ GUARDED_BY(mutex_);
  std::map<std::uint32_t, std::shared_ptr<const MountedLayer>> layers_ GUARDED_BY(mutex_);
};

}  // namespace varve
