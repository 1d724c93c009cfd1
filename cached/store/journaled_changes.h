#pragma once

#include <string>
#include <string_view>

#include "cached/store/database.h"
#include "cached/store/records.pb.h"

namespace varve {

// The columns that packs hold nothing else of: what a checkpoint writes down and rebuild-index replays, beside the
// settings.
inline constexpr Column kJournaledColumns[] = {
    Column::kBlob,           Column::kManifest,           Column::kRef,      Column::kSlot, Column::kOriginal,
    Column::kRepositoryBlob, Column::kRepositoryManifest, Column::kReferrer, Column::kTag};

// Changes to journaled columns: each goes into the index and, for rebuild-index, into a journal
// record.
class JournaledChanges {
 public:
  void Put(Column column, std::string_view key, std::string value);
  void Erase(Column column, std::string_view key);
  bool empty() const { return journal_.changes().empty(); }

 private:
  friend class Store;
  Database::Batch batch_;
  store::Journal journal_;
};

}  // namespace varve
