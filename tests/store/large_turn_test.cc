// Layers whose index or zstd window is large are taken in one at a time.
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

// A zstd frame of uncompressed blocks with a window of 2^`window_log` bytes (RFC 8878, section 3.1.1).
Bytes ZstdOf(ByteSpan content, unsigned window_log) {
  constexpr std::size_t kBlockBytesMax = 128 << 10;
  Bytes frame;
  ByteWriter writer(frame);
  writer.Fixed(std::uint32_t{0xfd2fb528});
  writer.Fixed(std::uint8_t{0});
  writer.Fixed(static_cast<std::uint8_t>((window_log - 10) << 3));
  while (!content.empty()) {
    const ByteSpan block = content.first(std::min(content.size(), kBlockBytesMax));
    content = content.subspan(block.size());
    const auto header = static_cast<std::uint32_t>(block.size() << 3 | (content.empty() ? 1 : 0));
    writer.Raw(std::as_bytes(std::span(&header, 1)).first(3));
    writer.Raw(block);
  }
  return frame;
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
    return IngestLayer(*store_, *store_->OpenWriter(), source, diff_id_, options, cancel_);
  }
  Result<Store::LayerCommit> IngestZstd(unsigned window_log) {
    const Bytes zstd = ZstdOf(tar_, window_log);
    MemorySource source(zstd, 7);
    return IngestLayer(*store_, *store_->OpenWriter(), source, diff_id_, {}, cancel_);
  }

  TinyStore store_;
  const Bytes tar_ = TarOfEmptyFiles();
  const Digest diff_id_ = Sha256Of(tar_);
  CancelToken cancel_;
};

TEST_F(LargeTurnTest, ALargeLayerWaitsWhileASmallOnePasses) {
  std::atomic<bool> taken = true;
  WatchedTar source(tar_, taken);
  Store::LargeTurn turn = store_->TakeLargeTurn(Ok).value();
  auto large = std::async(std::launch::async, [&] { return Ingest(source).ok(); });
  source.beginning().wait();
  for (int i = 0; i < 20; ++i) store_.AddLayer({{fmt::format("small{}", i), "content"}});
  taken = false;
  turn.reset();
  EXPECT_TRUE(large.get());
  EXPECT_FALSE(source.ended_while_taken());
}

TEST_F(LargeTurnTest, ALargeLayerKeepsItsTurnUntilItsCommitGoes) {
  MemorySource source(tar_);
  auto layer = Ingest(source);
  ASSERT_TRUE(layer.ok());
  EXPECT_TRUE(layer->turn);
  layer = Error(Code::kCancelled, "gone");
  EXPECT_TRUE(store_->TakeLargeTurn(Ok).ok());  // does not wait for ever
}

TEST_F(LargeTurnTest, ASmallLayerTakesNoTurn) {
  MemorySource source(tar_);
  const auto layer = IngestLayer(*store_, *store_->OpenWriter(), source, diff_id_, {}, cancel_);
  ASSERT_TRUE(layer.ok());
  EXPECT_FALSE(layer->turn);
}

TEST_F(LargeTurnTest, ALargeZstdWindowTakesATurnAndASmallOneDoesNot) {
  const auto large = IngestZstd(24);
  ASSERT_TRUE(large.ok()) << large.error().message();
  EXPECT_TRUE(large->turn);
  const auto small = IngestZstd(23);
  ASSERT_TRUE(small.ok()) << small.error().message();
  EXPECT_FALSE(small->turn);
}

TEST_F(LargeTurnTest, ALayerThatWaitsForItsTurnCanBeCancelled) {
  const Store::LargeTurn turn = store_->TakeLargeTurn(Ok).value();
  for (const Bytes& bytes : {tar_, ZstdOf(tar_, 24)}) {
    std::atomic<bool> taken = true;
    WatchedTar source(bytes, taken);
    auto large = std::async(std::launch::async, [&] { return Ingest(source); });
    source.beginning().wait();
    cancel_.Cancel();
    EXPECT_EQ(large.get().error().code(), Code::kCancelled);
  }
}

TEST_F(LargeTurnTest, ALayerThatFailsWhileItsOtherThreadWaitsForATurnEnds) {
  const Store::LargeTurn turn = store_->TakeLargeTurn(Ok).value();
  const Bytes blob = Join({ZstdOf(Bytes(8192, std::byte{'x'}), 15), ZstdOf(tar_, 24)});  // no tar: more than a block
  MemorySource source(blob);
  EXPECT_FALSE(Ingest(source).ok());
}

}  // namespace
}  // namespace varve
