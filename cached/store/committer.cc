#include "cached/store/committer.h"

#include <algorithm>
#include <set>

namespace varve {
namespace {

// How long the first batch of a group waits for others. Less than a disk's sync, so that a lone batch hardly notices.
constexpr std::chrono::milliseconds kGroupWindow{2};

std::string PackKey(PackId pack) {
  std::string key(4, '\0');
  for (std::size_t i = 0; i < 4; ++i) key[i] = static_cast<char>(pack.number >> (24 - 8 * i));
  return key;
}

void Extend(std::map<PackId, std::uint64_t>& lengths, const PackLocation& frame) {
  std::uint64_t& length = lengths[frame.pack];
  length = std::max<std::uint64_t>(length, std::uint64_t{frame.offset_bytes} + frame.length_bytes);
}

}  // namespace

Committer::Committer(Database& database, OpenPacks& packs, std::map<PackId, std::uint64_t> durable_bytes,
                     std::function<std::string()> counters)
    : database_(database),
      packs_(packs),
      counters_(std::move(counters)),
      durable_bytes_(std::move(durable_bytes)),
      thread_([this] { Work(); }) {}

Committer::~Committer() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  thread_.join();
}

store::Placement Committer::AddPending(const Digest& digest, const store::Placement& placement) {
  MutexLock lock(mutex_);
  return pending_.try_emplace(digest, placement).first->second;
}

std::optional<store::Placement> Committer::FindPending(const Digest& digest) const {
  MutexLock lock(mutex_);
  const auto found = pending_.find(digest);
  if (found == pending_.end()) return std::nullopt;
  return found->second;
}

bool Committer::HasPendingIn(PackId pack) const {
  MutexLock lock(mutex_);
  return std::any_of(pending_.begin(), pending_.end(),
                     [&](const auto& entry) { return entry.second.pack() == pack.number; });
}

std::future<Status> Committer::CommitAsync(Batch batch) {
  MutexLock lock(mutex_);
  queue_.push_back({std::move(batch), {}});
  wake_.NotifyAll();
  return queue_.back().done.get_future();
}

void Committer::Work() {
  while (true) {
    std::vector<Waiting> group;
    {
      MutexLock lock(mutex_);
      while (queue_.empty() && !stopping_) wake_.Wait(lock);
      if (queue_.empty()) return;
      if (!stopping_) wake_.WaitFor(lock, kGroupWindow);
      group.swap(queue_);
    }
    for (std::span<Waiting> rest = group; !rest.empty();) {
      const std::span<Waiting> together = rest.first(WrittenTogether(rest));
      const Status written = Write(together);
      for (Waiting& waiting : together) waiting.done.set_value(written);
      rest = rest.subspan(together.size());
    }
  }
}

// Moves are judged by what the index says, so a batch that has some goes alone: in one write with a batch that puts the
// same record anew, it would undo that.
std::size_t Committer::WrittenTogether(std::span<const Waiting> queue) {
  std::size_t count = 0;
  while (count < queue.size() && queue[count].batch.moves.empty()) ++count;
  return std::max<std::size_t>(count, 1);
}

Status Committer::Write(std::span<Waiting> group) {
  Database::Batch changes;
  std::map<PackId, std::uint64_t> lengths;
  std::set<PackId> packs;
  std::vector<Digest> committed;
  for (const Waiting& waiting : group) {
    for (const Batch::Chunk& chunk : waiting.batch.chunks) {
      packs.insert(chunk.pack);
      const auto placement = FindPending(chunk.digest);
      if (!placement) continue;  // another stream's commit was first, or the sync below fails
      changes.Put(Column::kChunk, KeyOf(chunk.digest), placement->SerializeAsString());
      Extend(lengths, LocationOf(*placement));
      committed.push_back(chunk.digest);
    }
    for (const PackLocation& frame : waiting.batch.frames) Extend(lengths, frame);
    VARVE_RETURN_IF_ERROR(AddMoves(waiting.batch, changes));
  }
  for (const auto& [pack, length] : lengths) packs.insert(pack);
  for (const PackId pack : packs) VARVE_RETURN_IF_ERROR(SyncOrForget(pack));
  for (const auto& [pack, length] : lengths) {
    std::uint64_t& durable = durable_bytes_[pack];
    durable = std::max(durable, length);
    store::Pack record;
    record.set_durable_bytes(durable);
    changes.Put(Column::kPack, PackKey(pack), record.SerializeAsString());
  }
  for (Waiting& waiting : group) {
    for (const PackId pack : waiting.batch.dropped_packs) {
      durable_bytes_.erase(pack);
      changes.Erase(Column::kPack, PackKey(pack));
    }
    changes.Append(std::move(waiting.batch.records));
  }
  changes.Put(Column::kMeta, "counters", counters_());
  VARVE_RETURN_IF_ERROR(packs_.CheckRoom(OpenPacks::kIndexReserveBytes));
  VARVE_RETURN_IF_ERROR(database_.Write(changes));
  MutexLock lock(mutex_);
  for (const Digest& digest : committed) pending_.erase(digest);
  return Ok();
}

Status Committer::SyncOrForget(PackId pack) {
  Status synced = packs_.Sync(pack);
  if (synced.ok()) return synced;
  MutexLock lock(mutex_);
  std::erase_if(pending_, [&](const auto& entry) { return entry.second.pack() == pack.number; });
  return synced;
}

Status Committer::AddMoves(const Batch& batch, Database::Batch& changes) {
  for (const Move& move : batch.moves) {
    VARVE_ASSIGN_OR_RETURN(const auto now, database_.Get(move.column, move.key));
    if (now != move.from) continue;
    if (move.to) {
      changes.Put(move.column, move.key, *move.to);
    } else {
      changes.Erase(move.column, move.key);
    }
  }
  return Ok();
}

}  // namespace varve
