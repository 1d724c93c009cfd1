#pragma once

#include <cstdint>
#include <deque>
#include <map>

#include "cached/pack/pack_reader.h"
#include "cached/store/store.h"

namespace varve {

// The chunks of one layer for a reader of the whole of it: found by its locator table, without a look-up in the index
// as long as the words are right. Each frame's XXH3 and name are checked; that the layer is whole, its reader sees from
// the SHA-256 of the tar. Keeps what neighbours need again, within bounds. Not thread-safe. Whoever reads has leased
// the layer.
class LayerContent {
 public:
  // kNotFound if it is not stored. `store` must outlive it.
  static Result<LayerContent> Open(Store& store, const Digest& diff_id);

  // The raw bytes, valid until the next call. A wrong word is put right (Store::ResolveLocator), which has kDataLoss
  // logged with what it belongs to. kDataLoss for an ordinal that the layer has not: somebody's recipe is wrong.
  Result<ByteSpan> Chunk(std::uint32_t ordinal);

  // Block `number` of the tar recipe, valid until the next call; nothing behind the last.
  Result<std::optional<ByteSpan>> RecipeBlock(int number);

  std::uint64_t tar_bytes() const { return record_.tar_bytes(); }

 private:
  struct DecodedGroup {
    Locator at;
    Bytes payload;
  };
  LayerContent(Store& store, store::Layer record, MappedLayer layer, LocatorTable locators)
      : store_(&store), record_(std::move(record)), layer_(std::move(layer)), locators_(std::move(locators)) {}
  Result<ByteSpan> ReadAt(const Locator& at, const fb::Chunk& chunk);
  Result<ByteSpan> FindInGroup(ByteSpan payload, const fb::Chunk& chunk) const;
  Result<const PackReader*> PackOf(std::uint32_t number);

  Store* store_;
  store::Layer record_;
  MappedLayer layer_;
  LocatorTable locators_;
  std::map<std::uint32_t, PackReader> packs_;
  std::deque<DecodedGroup> groups_;  // the last is the newest
  Bytes frame_;
  Bytes chunk_;
  Bytes block_;
};

}  // namespace varve
