#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cached/base/mutex.h"
#include "cached/base/root_paths.h"
#include "cached/client/mounts_client.h"
#include "cached/pack/group.h"
#include "cached/pack/pack_writer.h"
#include "cached/tree/entry.h"
#include "cached/tree/layer_index_builder.h"
#include "cached/tree/locator_table.h"

namespace varve {

// A store made by hand, one pack and as many layers and images as a test wants, and the daemon that describes it.
class TinyStore final : public Mounts {
 public:
  explicit TinyStore(const std::string& root, std::size_t chunk_bytes = 64 << 10);

  // A layer in the making. Content of at most 16 KiB shares a frame with its neighbours; the rest has a frame a chunk.
  class Layer {
   public:
    explicit Layer(TinyStore& store) : store_(store), builder_(LayerLimits{}) {}

    Layer& Directory(const std::string& path, std::uint32_t mode = 0755);
    Layer& File(const std::string& path, std::string_view content, std::uint32_t mode = 0644);
    Layer& Symlink(const std::string& path, const std::string& target);
    Layer& HardLink(const std::string& path, const std::string& target);
    // Any entry; `content` is that of its segments if it is sparse.
    Layer& Add(const Entry& entry, std::string_view content = {});
    // The diff ID.
    Digest Publish();

   private:
    std::uint32_t AddChunk(std::string_view chunk);
    void CloseGroup();

    TinyStore& store_;
    LayerIndexBuilder builder_;
    GroupBuilder group_;
    std::map<Digest, std::uint32_t> ordinals_;
    std::map<std::uint32_t, std::uint64_t> words_;  // by ordinal
  };

  ChainId AddImage(const std::vector<Digest>& layers);

  const RootPaths& paths() const { return paths_; }
  std::uint32_t SlotOf(const Digest& diff_id) const { return layers_.at(diff_id).slot; }
  std::uint32_t SlotOf(const ChainId& chain_id) const { return images_.at(chain_id).slot; }
  LocatorTable LocatorsOf(const Digest& diff_id) const;
  // Changes a byte of the frame's payload.
  void DamageFrame(const Locator& at);

  // The daemon. Resolve counts its calls and answers what OnResolve does: by default that the chunk is damaged.
  Result<ImageSlots> Describe(const ChainId& chain_id) override;
  Result<std::uint64_t> Resolve(const Digest& diff_id, std::uint32_t ordinal, const std::string& image) override;
  using OnResolve = std::function<Result<std::uint64_t>(std::uint32_t ordinal)>;
  void SetOnResolve(OnResolve on_resolve);
  int resolve_calls() const { return resolve_calls_; }

 private:
  struct StoredLayer {
    std::uint32_t slot;
    std::size_t chunks;
    MappedFile index;
  };
  Locator Store(FrameKind kind, ByteSpan raw);

  const RootPaths paths_;
  const std::size_t chunk_bytes_;
  std::uint32_t next_slot_ = 1;
  std::unique_ptr<PackWriter> pack_;
  std::map<Digest, StoredLayer> layers_;
  std::map<ChainId, ImageSlots> images_;
  std::atomic<int> resolve_calls_ = 0;
  Mutex mutex_;
  OnResolve on_resolve_ GUARDED_BY(mutex_);
};

}  // namespace varve
