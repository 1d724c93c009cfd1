#include "cached/store/open_packs.h"

#include <fmt/core.h>

#include "cached/base/log.h"

namespace varve {
namespace {

// A pack with less room than this is sealed when it comes back.
constexpr std::uint64_t kRoomMinBytes = 8 << 20;

}  // namespace

OpenPacks::OpenPacks(Fs& fs, std::string directory, std::uint32_t next_number)
    : fs_(fs), directory_(std::move(directory)), next_number_(next_number) {}

Result<std::shared_ptr<PackWriter>> OpenPacks::Lease() {
  PackId fresh;
  {
    MutexLock lock(mutex_);
    if (!idle_.empty()) {
      const PackId id = *idle_.begin();
      idle_.erase(idle_.begin());
      return open_.at(id);
    }
    if (next_number_ > kPackNumberMax) return Error(Code::kResourceExhausted, "all pack numbers are used");
    fresh.number = next_number_++;
  }
  VARVE_ASSIGN_OR_RETURN(PackWriter writer, PackWriter::Create(fs_, directory_, fresh));
  auto pack = std::make_shared<PackWriter>(std::move(writer));
  MutexLock lock(mutex_);
  open_.emplace(fresh, pack);
  return pack;
}

void OpenPacks::Return(const std::shared_ptr<PackWriter>& pack, Condition condition) {
  const bool reusable = condition == Condition::kSound && pack->size() + kRoomMinBytes <= kPackBytesMax;
  if (!reusable) {
    const Status synced = Sync(pack->id());
    if (!synced.ok()) LogError("{}", synced.error().message());
  }
  MutexLock lock(mutex_);
  if (!reusable) {
    open_.erase(pack->id());
  } else if (open_.contains(pack->id())) {
    idle_.insert(pack->id());
  }
}

void OpenPacks::AddIdle(std::shared_ptr<PackWriter> pack) {
  MutexLock lock(mutex_);
  idle_.insert(pack->id());
  open_.emplace(pack->id(), std::move(pack));
}

bool OpenPacks::Seal(PackId pack) {
  {
    MutexLock lock(mutex_);
    if (!open_.contains(pack)) return true;
    if (idle_.erase(pack) == 0) return false;
  }
  const Status synced = Sync(pack);
  if (!synced.ok()) {
    LogError("{}", synced.error().message());
    return false;
  }
  MutexLock lock(mutex_);
  open_.erase(pack);
  return true;
}

Status OpenPacks::Sync(PackId pack) {
  std::shared_ptr<PackWriter> writer;
  {
    MutexLock lock(mutex_);
    if (const auto lost = lost_.find(pack); lost != lost_.end()) return lost->second;
    const auto found = open_.find(pack);
    if (found == open_.end()) return Ok();
    writer = found->second;
  }
  const Status synced = writer->Sync();
  if (synced.ok()) return Ok();
  MutexLock lock(mutex_);
  open_.erase(pack);
  idle_.erase(pack);
  const Error lost = synced.error().In("what was written last never reached the disk and has to be stored again");
  return lost_.emplace(pack, lost).first->second;
}

Status OpenPacks::CheckRoom(std::uint64_t reserve_bytes) const {
  VARVE_ASSIGN_OR_RETURN(const std::uint64_t free_bytes, fs_.FreeBytes(directory_));
  if (free_bytes >= reserve_bytes) return Ok();
  return Error(Code::kResourceExhausted,
               fmt::format("{}: no space left on device: {} free, {} are kept for the index; remove images and prune",
                           directory_, HumanSize(free_bytes), HumanSize(reserve_bytes)));
}

std::uint32_t OpenPacks::next_number() const {
  MutexLock lock(mutex_);
  return next_number_;
}

}  // namespace varve
