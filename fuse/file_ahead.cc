#include "fuse/file_ahead.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

namespace varve {

void FileAhead::Start(StoreInPageCache store) {
  store_ = std::move(store);
  {
    MutexLock lock(mutex_);
    stopping_ = false;
  }
  worker_ = std::thread([this] { Work(); });
}

void FileAhead::Stop() {
  if (!worker_.joinable()) return;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  worker_.join();
}

bool FileAhead::Counts(NodeId id, const Node& node) {
  return node.layer != nullptr && id.slot == node.layer->slot && S_ISREG(node.inode->mode()) &&
         node.inode->size() > 0 && node.inode->size() <= kFileBytesMax;
}

void FileAhead::Listed(std::vector<NodeId> files) {
  if (files.empty()) return;
  files.resize(std::min(files.size(), kListingMax));
  const bool worth_it = files.size() > kLead;
  auto listing = std::make_shared<Listing>(std::move(files));
  MutexLock lock(mutex_);
  listings_.push_front(listing);
  if (listings_.size() > kListingsKept) {
    if (listings_.back()->asked == 0) trust_ = std::max(trust_ - kTrustLostUnread, 0);
    listings_.pop_back();
  }
  if (!worth_it || trust_ < kTrusted || wanted_.size() == kWantedMax) return;
  wanted_.push_back(std::move(listing));
  changed_.NotifyAll();
}

bool FileAhead::Passed(NodeId file) {
  MutexLock lock(mutex_);
  for (const auto& listing : listings_) {
    const auto found = std::ranges::find(listing->files, file);
    if (found == listing->files.end()) continue;
    if (listing->asked == 0) trust_ = std::min(trust_ + 1, kTrustMax);
    listing->asked = std::max(listing->asked, static_cast<std::size_t>(found - listing->files.begin()) + 1);
    return true;
  }
  trust_ = std::max(trust_ - 1, 0);
  return trust_ >= kTrusted;  // then it is one of a listing that was too long, or is too long ago
}

void FileAhead::Work() {
  while (true) {
    std::shared_ptr<const Listing> listing;
    {
      MutexLock lock(mutex_);
      while (wanted_.empty() && !stopping_) changed_.Wait(lock);
      if (wanted_.empty()) return;
      listing = std::move(wanted_.front());
      wanted_.pop_front();
    }
    Store(*listing);
  }
}

void FileAhead::Store(const Listing& listing) {
  std::shared_ptr<const MountedLayer> layer;
  Bytes content;
  for (std::size_t i = kLead; i < listing.files.size(); ++i) {
    {
      MutexLock lock(mutex_);
      if (i + 1 < listing.asked + kLead) continue;
    }
    const NodeId file = listing.files[i];
    if (layer == nullptr || layer->slot != file.slot) layer = images_.HoldLayer(file.slot);
    if (layer == nullptr) continue;
    const fb::Inode& inode = layer->index.inodes()[file.ordinal];
    content.resize(static_cast<std::size_t>(inode.size()));
    if (content_.Read({.layer = layer.get(), .inode = &inode}, 0, content).ok()) store_(file, content);
  }
}

}  // namespace varve
