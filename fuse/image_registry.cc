#include "fuse/image_registry.h"

#include <fmt/core.h>

#include <algorithm>

namespace varve {

ImageRegistry::~ImageRegistry() {
  for (auto& page : pages_) delete page.load();
}

ImageRegistry::Slot* ImageRegistry::FindSlot(std::uint32_t slot) const {
  if (slot > kSlotMax) return nullptr;
  Page* page = pages_[slot / kPageSlots].load(std::memory_order_acquire);
  return page == nullptr ? nullptr : &(*page)[slot % kPageSlots];
}

ImageRegistry::Slot& ImageRegistry::MakeSlot(std::uint32_t slot) {
  auto& page = pages_[slot / kPageSlots];
  if (page.load() == nullptr) page.store(std::make_unique<Page>().release(), std::memory_order_release);
  return *FindSlot(slot);
}

Result<MountedImage::Layers> ImageRegistry::MapLayers(const ImageSlots& slots) {
  MountedImage::Layers layers;
  for (const ImageSlots::Layer& layer : slots.layers) {
    if (layer.slot == 0 || layer.slot > kSlotMax)
      return Error(Code::kInternal, fmt::format("slot {} is out of range", layer.slot));
    std::shared_ptr<const MountedLayer> mapped;
    {
      MutexLock lock(mutex_);
      if (const auto found = layers_.find(layer.slot); found != layers_.end()) mapped = found->second;
    }
    if (mapped == nullptr) {
      VARVE_ASSIGN_OR_RETURN(mapped, MountedLayer::Open(paths_, layer));
    } else if (mapped->diff_id != layer.diff_id) {
      return Error(Code::kInternal, fmt::format("slot {} is of layers {} and {}", layer.slot, mapped->diff_id.hex(),
                                                layer.diff_id.hex()));
    }
    layers.push_back(std::move(mapped));
  }
  return layers;
}

Result<ImageRegistry::Added> ImageRegistry::Add(const ChainId& chain_id) {
  {
    MutexLock lock(mutex_);
    if (images_.contains(chain_id)) return Added::kBefore;
  }
  const std::string context = "image " + chain_id.hex();
  VARVE_ASSIGN_OR_RETURN(const ImageSlots slots, mounts_.Describe(chain_id).In(context));
  if (slots.slot == 0 || slots.slot > kSlotMax)
    return Error(Code::kInternal, fmt::format("{}: slot {} is out of range", context, slots.slot));
  VARVE_ASSIGN_OR_RETURN(MountedImage::Layers layers, MapLayers(slots).In(context));
  VARVE_ASSIGN_OR_RETURN(auto image, MountedImage::Open(paths_, chain_id, slots.slot, std::move(layers)).In(context));

  MutexLock lock(mutex_);
  if (images_.contains(chain_id)) return Added::kBefore;
  Slot& slot = MakeSlot(slots.slot);
  if (slot.image.load() != nullptr || slot.layer.load() != nullptr) {
    return Error(Code::kInternal, fmt::format("{}: slot {} is another's", context, slots.slot));
  }
  for (const auto& layer : image->layers) {
    // Another thread may have mapped the same layer meanwhile; its nodes answer for both.
    if (layers_.try_emplace(layer->slot, layer).second)
      MakeSlot(layer->slot).layer.store(layer.get(), std::memory_order_release);
  }
  slot.image.store(image.get(), std::memory_order_release);
  images_.emplace(chain_id, std::move(image));
  return Added::kNow;
}

std::optional<NodeId> ImageRegistry::LookUpImage(std::string_view hex) {
  const auto digest = Digest::FromHexText(hex);
  if (!digest.ok()) return std::nullopt;
  MutexLock lock(mutex_);
  const auto found = images_.find(ChainId{*digest});
  if (found == images_.end()) return std::nullopt;
  const NodeId root{found->second->slot, 0};
  CountLookup(root);
  return root;
}

std::optional<Node> ImageRegistry::Find(NodeId id) const {
  const Slot* slot = FindSlot(id.slot);
  if (slot == nullptr) return std::nullopt;
  if (const MountedLayer* layer = slot->layer.load(std::memory_order_acquire)) {
    if (id.ordinal >= layer->index.inodes().size()) return std::nullopt;
    return Node{.layer = layer, .inode = &layer->index.inodes()[id.ordinal]};
  }
  const MountedImage* image = slot->image.load(std::memory_order_acquire);
  if (image == nullptr || id.ordinal >= image->index.inodes().size()) return std::nullopt;
  const fb::ImageInode& own = image->index.inodes()[id.ordinal];
  if (own.layer() == 0) return Node{.image = image, .own = &own};
  const MountedLayer* layer = image->layers[own.layer() - 1].get();
  return Node{.image = image, .own = &own, .layer = layer, .inode = &layer->index.inodes()[own.ordinal()]};
}

std::pair<NodeId, Node> ImageRegistry::Resolve(const MountedImage& image, const fb::ImageEntry& entry) {
  if (entry.layer() != 0) {
    const MountedLayer* layer = image.layers[entry.layer() - 1u].get();
    return {{layer->slot, entry.ordinal()}, {.layer = layer, .inode = &layer->index.inodes()[entry.ordinal()]}};
  }
  const fb::ImageInode& own = image.index.inodes()[entry.ordinal()];
  Node node{.image = &image, .own = &own};
  if (own.layer() != 0) {
    node.layer = image.layers[own.layer() - 1].get();
    node.inode = &node.layer->index.inodes()[own.ordinal()];
  }
  return {{image.slot, entry.ordinal()}, node};
}

void ImageRegistry::CountLookup(NodeId id) { FindSlot(id.slot)->lookups.fetch_add(1, std::memory_order_relaxed); }

void ImageRegistry::Forget(NodeId id, std::uint64_t lookups) {
  Slot* slot = FindSlot(id.slot);
  if (slot == nullptr) return;
  if (slot->lookups.fetch_sub(lookups, std::memory_order_acq_rel) != lookups) return;
  MutexLock lock(mutex_);  // so that no waiter misses it between its test and its wait
  forgotten_.NotifyAll();
}

std::shared_ptr<const MountedLayer> ImageRegistry::HoldLayer(std::uint32_t slot) const {
  MutexLock lock(mutex_);
  const auto found = layers_.find(slot);
  return found == layers_.end() ? nullptr : found->second;
}

std::vector<ChainId> ImageRegistry::Serving() const {
  MutexLock lock(mutex_);
  std::vector<ChainId> serving;
  serving.reserve(images_.size());
  for (const auto& [chain_id, image] : images_) serving.push_back(chain_id);
  return serving;
}

bool ImageRegistry::Forgotten(std::span<const ChainId> images) const {
  return std::ranges::all_of(images, [&](const ChainId& chain_id) REQUIRES(mutex_) {
    const auto found = images_.find(chain_id);
    return found == images_.end() || FindSlot(found->second->slot)->lookups.load(std::memory_order_acquire) == 0;
  });
}

ImageRegistry::Doomed ImageRegistry::TakeForgotten(std::span<const ChainId> images) {
  Doomed doomed;
  for (const ChainId& chain_id : images) {
    const auto found = images_.find(chain_id);
    if (found == images_.end() || !Forgotten({&chain_id, 1})) continue;
    FindSlot(found->second->slot)->image.store(nullptr, std::memory_order_release);
    doomed.first.push_back(std::move(found->second));
    images_.erase(found);
  }
  std::erase_if(layers_, [&](auto& layer) REQUIRES(mutex_) {
    Slot& slot = *FindSlot(layer.first);
    if (FindImageOf(*layer.second) != nullptr || slot.lookups.load(std::memory_order_acquire) != 0) return false;
    slot.layer.store(nullptr, std::memory_order_release);
    doomed.second.push_back(std::move(layer.second));
    return true;
  });
  return doomed;
}

std::vector<ChainId> ImageRegistry::RemoveForgotten(std::span<const ChainId> images,
                                                    std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  Doomed unmapped_after_unlock;
  MutexLock lock(mutex_);
  while (!Forgotten(images) && std::chrono::steady_clock::now() < deadline) {
    forgotten_.WaitFor(lock, deadline - std::chrono::steady_clock::now());
  }
  unmapped_after_unlock = TakeForgotten(images);
  std::vector<ChainId> removed;
  std::ranges::copy_if(images, std::back_inserter(removed),
                       [&](const ChainId& chain_id) REQUIRES(mutex_) { return !images_.contains(chain_id); });
  return removed;
}

const MountedImage* ImageRegistry::FindImageOf(const MountedLayer& layer) const {
  for (const auto& [chain_id, image] : images_) {
    if (std::ranges::any_of(image->layers, [&](const auto& has) { return has->slot == layer.slot; }))
      return image.get();
  }
  return nullptr;
}

std::string ImageRegistry::ImageOf(const MountedLayer& layer) const {
  MutexLock lock(mutex_);
  const MountedImage* image = FindImageOf(layer);
  return image == nullptr ? std::string() : image->chain_id.hex();
}

ImageRegistry::Place ImageRegistry::FindPlace(const Node& file) const {
  MutexLock lock(mutex_);
  const MountedImage* image = FindImageOf(*file.layer);
  if (image == nullptr) return {};
  return {image->chain_id.hex(), image->PathOf(*file.layer, file.ordinal())};
}

ImageRegistry::Totals ImageRegistry::TotalsOf(const Node& node) const {
  MutexLock lock(mutex_);
  const MountedImage* image = node.image != nullptr ? node.image : FindImageOf(*node.layer);
  if (image == nullptr) return {};
  Totals totals{.inodes = image->index.inodes().size()};
  for (const auto& layer : image->layers) {
    totals.bytes += layer->index.tar_bytes();
    totals.inodes += layer->index.inodes().size();
  }
  return totals;
}

std::string ImageRegistry::MappingAt(const void* address) const {
  const auto* at = static_cast<const std::byte*>(address);
  const auto covers = [&](ByteSpan bytes) { return at >= bytes.data() && at < bytes.data() + bytes.size(); };
  for (const auto& page : pages_) {
    const Page* slots = page.load(std::memory_order_acquire);
    if (slots == nullptr) continue;
    for (const Slot& slot : *slots) {
      const MountedImage* image = slot.image.load(std::memory_order_acquire);
      if (image != nullptr && covers(image->file.bytes())) return IndexNoun(IndexKind::kImage, image->chain_id.digest);
      const MountedLayer* layer = slot.layer.load(std::memory_order_acquire);
      if (layer == nullptr) continue;
      if (covers(layer->file.bytes())) return IndexNoun(IndexKind::kLayer, layer->diff_id);
      if (covers(layer->locators.bytes())) return "locator table of layer " + layer->diff_id.ToString();
    }
  }
  return {};
}

}  // namespace varve
