#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cached/store/store.h"

namespace varve {

// The frames of packs that somebody needs: by pack, offset and length in bytes.
using LiveFrames = std::map<PackId, std::map<std::uint32_t, std::uint32_t>>;

// The frames that every record needs, and those of the chunks whose key `chunk_is_live`.
Result<LiveFrames> FindLiveFrames(const Database& database,
                                  const std::function<bool(std::string_view key)>& chunk_is_live);

// Gives back the dead part of packs: copies the live frames of each into a fresh one, moves the placements and records
// that point to them, puts locator words right, and unlinks the old file. A pack with a damaged live frame is left as
// it is and logged.
class PackRewriter {
 public:
  // `live` was found after the packs to rewrite were sealed. Journals before `first_journal` are void; without one, all
  // in these packs are.
  PackRewriter(Store& store, LiveFrames& live, std::optional<std::uint64_t> first_journal,
               std::function<void(std::span<const PackId>)> close_packs);
  ~PackRewriter();  // gives the pack that it writes back, also after an error
  PackRewriter(const PackRewriter&) = delete;
  PackRewriter& operator=(const PackRewriter&) = delete;

  // `packs` are sealed and nobody writes into them.
  Status Rewrite(std::span<const PackId> packs);

  std::uint64_t packs_dropped() const { return packs_dropped_; }
  std::uint64_t frames_moved() const { return frames_moved_; }

 private:
  using NewLocations = std::map<std::pair<PackId, std::uint32_t>, PackLocation>;

  Status KeepWhatWasTouched(const std::set<PackId>& packs);
  Status KeepJournals(PackId pack, std::uint64_t durable_bytes);
  Status CopyFrames(PackId pack, NewLocations& moved);
  Status MovePlacements(const std::set<PackId>& packs, const NewLocations& moved, Committer::Batch& batch);
  Status MoveRecords(Column column, const std::set<PackId>& packs, const NewLocations& moved, Committer::Batch& batch);
  Status MoveLocators(const std::set<PackId>& packs, const NewLocations& moved);
  Status MoveLocatorsOf(const MappedLayer& layer, const std::set<PackId>& packs, const NewLocations& moved);
  Result<PackLocation> Append(ByteSpan frame);
  void ReturnTarget(OpenPacks::Condition condition);

  Store& store_;
  LiveFrames& live_;
  const std::optional<std::uint64_t> first_journal_;
  const std::function<void(std::span<const PackId>)> close_packs_;
  std::shared_ptr<PackWriter> target_;
  std::uint64_t packs_dropped_ = 0;
  std::uint64_t frames_moved_ = 0;
};

}  // namespace varve
