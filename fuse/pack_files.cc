#include "fuse/pack_files.h"

namespace varve {

Result<std::shared_ptr<const PackReader>> PackFiles::Get(std::uint32_t pack) {
  {
    MutexLock lock(mutex_);
    if (const auto found = open_.find(pack); found != open_.end()) return found->second;
  }
  VARVE_ASSIGN_OR_RETURN(PackReader opened, PackReader::Open(Fs::Real(), directory_, PackId{pack}));
  auto reader = std::make_shared<const PackReader>(std::move(opened));
  MutexLock lock(mutex_);
  if (open_.size() >= kOpenPacksMax) open_.erase(open_.begin());  // the oldest: the least likely to be read much
  open_.insert_or_assign(pack, reader);
  return reader;
}

void PackFiles::Close(std::span<const std::uint32_t> packs) {
  MutexLock lock(mutex_);
  for (const std::uint32_t pack : packs) open_.erase(pack);
}

}  // namespace varve
