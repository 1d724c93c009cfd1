// Layers whose index is large are built one at a time.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <optional>

#include "cached/content/sha256.h"
#include "tests/ingest/tar_support.h"
#include "tests/store/store_fixture.h"

namespace varve {
namespace {

constexpr std::size_t kFiles = 2000;

Bytes TarOfEmptyFiles() {
  std::vector<Bytes> blocks;
  for (std::size_t i = 0; i < kFiles; ++i) blocks.push_back(HeaderBlock(fmt::format("file{}", i)).bytes());
  blocks.push_back(EndBlocks());
  return Join(blocks);
}

// A tar that says when its first block has been read, and notes whether the last one was while the turn was taken.
class WatchedTar final : public ByteSource {
 public:
  WatchedTar(ByteSpan tar, const std::atomic<bool>& taken) : rest_(tar), taken_(taken) {}
  Result<std::size_t> Read(std::span<std::byte> into) override {
    if (!std::exchange(begun_, true)) beginning_.set_value();
    const std::size_t size = std::min({into.size(), rest_.size(), kTarBlockBytes});
    std::copy_n(rest_.begin(), size, into.begin());
    rest_ = rest_.subspan(size);
    if (rest_.empty()) ended_while_taken_ |= taken_;
    return size;
  }
  std::future<void> beginning() { return beginning_.get_future(); }
  bool ended_while_taken() const { return ended_while_taken_; }

 private:
  ByteSpan rest_;
  const std::atomic<bool>& taken_;
  bool begun_ = false;
  bool ended_while_taken_ = false;
  std::promise<void> beginning_;
};

class LargeTurnTest : public testing::Test {
 protected:
  Result<Store::LayerCommit> Ingest(ByteSource& source) {
    LayerIngestOptions options;
    options.large_bytes = kFiles / 2 * 56;
    options.block_bytes = 4096;
    return IngestLayer(*store_, *store_->OpenWriter(), source, diff_id_, options);
  }

  TinyStore store_;
  const Bytes tar_ = TarOfEmptyFiles();
  const Digest diff_id_ = Sha256Of(tar_);
};

TEST_F(LargeTurnTest, ALargeLayerWaitsWhileASmallOnePasses) {
  std::atomic<bool> taken = true;
  WatchedTar source(tar_, taken);
  Store::LargeTurn turn = store_->TakeLargeTurn();
  auto large = std::async(std::launch::async, [&] { return Ingest(source).ok(); });
  source.beginning().wait();
  for (int i = 0; i < 20; ++i) store_.AddLayer({{fmt::format("small{}", i), "content"}});
  taken = false;
  turn.unlock();
  EXPECT_TRUE(large.get());
  EXPECT_FALSE(source.ended_while_taken());
}

TEST_F(LargeTurnTest, ALargeLayerKeepsItsTurnUntilItsCommitGoes) {
  MemorySource source(tar_);
  auto layer = Ingest(source);
  ASSERT_TRUE(layer.ok());
  EXPECT_TRUE(layer->turn.owns_lock());
  layer = Error(Code::kCancelled, "gone");
  const Store::LargeTurn next = store_->TakeLargeTurn();  // does not wait for ever
}

TEST_F(LargeTurnTest, ASmallLayerTakesNoTurn) {
  MemorySource source(tar_);
  const auto layer = IngestLayer(*store_, *store_->OpenWriter(), source, diff_id_, {});
  ASSERT_TRUE(layer.ok());
  EXPECT_FALSE(layer->turn.owns_lock());
}

}  // namespace
}  // namespace varve
