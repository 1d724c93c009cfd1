#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cached/ingest/layer_ingest.h"
#include "cached/pack/pack_reader.h"
#include "cached/store/store.h"
#include "tests/support/temp_dir.h"

namespace varve {

// A store, its database on the real disk and the rest in `fs`, filled with layers that are made of a few files.
class TinyStore {
 public:
  using Files = std::map<std::string, std::string>;  // name → content

  explicit TinyStore(Fs& fs = Fs::Real());
  Store& operator*() { return *store_; }
  Store* operator->() { return store_.get(); }
  RootPaths paths() const { return {directory_ / "root", directory_ / "run"}; }

  void Open();
  void Close() { store_.reset(); }
  // What this store would be if the process was killed now: this one goes on. On the real disk only.
  std::unique_ptr<TinyStore> AfterKill() const;

  // Takes the layer in; nobody sees it before it is committed.
  Store::LayerCommit Ingest(const Files& files, ChunkWriter& writer);
  // Takes the layer in and commits it; its diff ID.
  Digest AddLayer(const Files& files);
  Result<Digest> TryAddLayer(const Files& files);
  // Commits an image of layers that are there; its manifest digest. Its config is its own, unless one is given.
  Digest AddImage(const std::string& name, const std::vector<Digest>& diff_ids, std::string config = "");

  std::vector<Digest> ChunksOf(const Digest& diff_id);
  // Every chunk of the layer reads, by its placement and by its locator word.
  void ExpectReadsWhole(const Digest& diff_id);
  store::Placement PlacementOf(const Digest& chunk);
  // All that the index says of content and names.
  std::map<std::pair<Column, std::string>, std::string> Records();
  std::uint64_t PackBytes() const;

 private:
  struct Unopened {};
  explicit TinyStore(Unopened) : fs_(Fs::Real()) {}
  Result<Store::LayerCommit> TryIngest(const Files& files, ChunkWriter& writer);

  Fs& fs_;
  const TempDir directory_;
  std::unique_ptr<Store> store_;
};

// An uncompressed layer.
std::string TarOf(const TinyStore::Files& files);

// `size` bytes that do not compress, different for each seed.
std::string Noise(unsigned seed, std::size_t size);

}  // namespace varve
