#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "cached/base/fs.h"
#include "cached/base/root_paths.h"
#include "cached/store/database.h"
#include "cached/store/placement.h"
#include "cached/tree/image_index.h"
#include "cached/tree/layer_index.h"
#include "cached/tree/locator_table.h"

namespace varve {

// A mapped index and the view of it.
struct MappedLayer {
  MappedFile file;
  LayerIndex index;
};
struct MappedImage {
  MappedFile file;
  ImageIndex index;
};

// Sets a word of a locator table by what `look_up` says of the chunk: where it is placed, or nothing.
//
// A collection may move the chunk between the look and the store, and put the word right before the store undoes that:
//
//   here:        look: pack 5                                     word = 5, for ever
//   collection:                 placement = 9, then all words = 9
//
// So this looks again once the word is stored. A collection moves placements before words: if its word came before the
// store here, this look sees its placement; if it comes later, the word is right anyway.
template <class LookUp>
Status SetWord(LocatorTable& table, std::uint32_t ordinal, const LookUp& look_up) {
  VARVE_ASSIGN_OR_RETURN(Locator wanted, look_up());
  for (std::optional<Locator> stored; stored != wanted;) {
    table.Set(ordinal, wanted);
    stored = wanted;
    VARVE_ASSIGN_OR_RETURN(wanted, look_up());
  }
  return Ok();
}
Status SetWord(const Database& database, LocatorTable& table, std::uint32_t ordinal, const Digest& chunk);

// An index file in the making, under a name that no reader looks for. Gone with the draft, unless it is published.
class IndexDraft {
 public:
  static Result<std::unique_ptr<IndexDraft>> Create(Fs& fs, std::string path);
  ~IndexDraft();

  File& file() { return *file_; }
  Result<MappedFile> Map() const { return MappedFile::Open(fs_, path_); }
  // Gives the file its name, once.
  Status Publish(const std::string& path);

 private:
  IndexDraft(Fs& fs, std::string path, std::unique_ptr<File> file)
      : fs_(fs), path_(std::move(path)), file_(std::move(file)) {}

  Fs& fs_;
  const std::string path_;
  std::unique_ptr<File> file_;
  bool published_ = false;
};

// The files below index/ that readers map: copies of what the packs hold, so none of them needs a sync, and one that is
// missing or damaged is written anew from the packs. Thread-safe.
class IndexFiles {
 public:
  // All three must outlive it.
  IndexFiles(Fs& fs, const RootPaths& paths, const Database& database);

  Result<std::unique_ptr<IndexDraft>> StartDraft();
  // What is there and says the same stays, and its locator words are set in place: a driver may have both mapped.
  Status PublishLayer(const Digest& diff_id, IndexDraft& draft, std::span<const std::uint64_t> locators);
  Status PublishImage(const ChainId& chain_id, IndexDraft& draft);

  // kNotFound if there is no such record; kDataLoss if neither file nor packs have it whole.
  Result<MappedLayer> OpenLayer(const Digest& diff_id);
  Result<MappedImage> OpenImage(const ChainId& chain_id);
  // The layer's locator table, written from the placements if it is missing.
  Result<LocatorTable> OpenLocators(const MappedLayer& layer, LocatorTable::Access access);

  // Removes the files of what has no record, and every locator table (`Tables::kDistrust`) after a crash of the
  // machine.
  enum class Tables { kKeep, kDistrust };
  // Half-written files go while nobody can be writing one (`kOpening`). Else a file may be there before its record:
  // what `wanted` says somebody is at stays.
  enum class Moment { kOpening, kServing };
  Status Sweep(Tables tables, Moment moment, const std::function<bool(const Digest&)>& wanted);

  // Puts locator words right that lead out of `durable`, which says how long each pack is: after a kill, those of
  // frames that were never committed, or whose pack was dropped before the words were moved. In place: a driver may
  // have the table mapped. All tables, or one layer's: a collection may have moved what was looked up for it before the
  // collection could see its record or table.
  Status MendLocators(const std::map<PackId, std::uint64_t>& durable);
  Status MendLocators(const Digest& diff_id, const std::map<PackId, std::uint64_t>& durable);

  // The bytes of a record, verified part by part; or of part `number` alone.
  Result<Bytes> ReadParts(const store::Parts& parts) const;
  Result<Bytes> ReadPart(const store::Parts& parts, int number) const;
  // `parts_of` the record of `noun` that is stored under `name`. The collector may move them between the look-up of the
  // record and their reading: then it is looked up again. kNotFound if there is no such record.
  template <class Record, class PartsOf>
  Result<Bytes> ReadPartsOf(Column column, const Digest& name, const std::string& noun, const PartsOf& parts_of) const {
    for (std::string last;;) {
      VARVE_ASSIGN_OR_RETURN(const auto record, GetRecord<Record>(database_, column, KeyOf(name)));
      if (!record) return Error(Code::kNotFound, noun + " " + name.ToString() + ": not stored");
      auto bytes = ReadParts(parts_of(*record)).In(noun + " " + name.ToString());
      std::string now = record->SerializeAsString();
      if (bytes.ok()) return bytes;
      if (now == last)
        return Error(bytes.error().code(),
                     bytes.error().message() + "; run: varve store verify --repair-from-registry");
      last = std::move(now);
    }
  }

 private:
  Status WriteFile(const std::string& path, ByteSpan bytes);
  Status WriteLocators(const MappedLayer& layer);
  Result<MappedLayer> MapLayer(const Digest& diff_id) const;
  Result<MappedImage> MapImage(const ChainId& chain_id) const;

  Fs& fs_;
  const RootPaths paths_;
  const Database& database_;
  std::atomic<std::uint64_t> drafts_ = 0;
};

}  // namespace varve
