#include "cached/transfer/layer_tars.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cached/content/sha256.h"
#include "cached/store/collector.h"
#include "tests/ingest/tar_support.h"
#include "tests/store/store_fixture.h"

namespace varve {
namespace {

using testing::HasSubstr;

// Two layers of small files, which share groups, and of one that is cut into many chunks.
class LayerTarsTest : public testing::Test {
 protected:
  static TinyStore::Files FilesOf(unsigned seed) {
    TinyStore::Files files;
    for (unsigned i = 0; i < 100; ++i) files["small" + std::to_string(i)] = Noise(seed + i, 1000 + i);
    files["large"] = Noise(seed + 1000, 2 << 20);
    return files;
  }
  // What is given, as its SHA-256.
  Result<Digest> Read(const Digest& diff_id, const LayerTarSink& beside = [](std::size_t, ByteSpan) { return Ok(); }) {
    Sha256 hash;
    VARVE_RETURN_IF_ERROR(ReadLayerTars(
        *store_, std::span(&diff_id, 1),
        [&](std::size_t layer, ByteSpan piece) -> Status {
          hash.Update(piece);
          return beside(layer, piece);
        },
        cancel_));
    return hash.Finish();
  }
  void Collect() {
    CollectOptions options;
    options.images = CollectOptions::Images::kUnused;
    options.close_packs = [](std::span<const PackId>) {};
    const auto collected = varve::Collect(*store_, options);
    ASSERT_TRUE(collected.ok()) << collected.error().message();
  }

  TinyStore store_;
  CancelToken cancel_;
};

TEST_F(LayerTarsTest, ALayerIsGivenBackAsItsDiffIdSays) {
  for (const unsigned seed : {1u, 50u}) {  // the second finds chunks of the first
    const Digest diff_id = store_.AddLayer(FilesOf(seed));
    const auto read = Read(diff_id);
    ASSERT_TRUE(read.ok()) << read.error().message();
    EXPECT_EQ(*read, diff_id);
  }
}

TEST_F(LayerTarsTest, APruneBesideItTakesNothingAway) {
  const Digest wanted = store_.AddLayer(FilesOf(1));
  store_.AddImage("example/app:1", {wanted, store_.AddLayer(FilesOf(5000))});
  bool pruned = false;
  const auto read = Read(wanted, [&](std::size_t, ByteSpan) -> Status {
    if (!std::exchange(pruned, true)) Collect();  // with the image and its other layer, whose packs are rewritten
    return Ok();
  });
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(*read, wanted);
  EXPECT_TRUE(store_->FindLayer(wanted).value().has_value());
  Collect();
  EXPECT_EQ(Read(wanted).error().code(), Code::kNotFound);
}

TEST_F(LayerTarsTest, ADamagedChunkEndsItWithTheLayersName) {
  const Digest diff_id = store_.AddLayer(FilesOf(1));
  const store::Placement at = store_.PlacementOf(store_.ChunksOf(diff_id).back());
  const auto pack =
      store_->fs().Open(store_.paths().packs() + "/" + PackId{at.pack()}.FileName(), OpenMode::kReadWrite);
  ASSERT_TRUE((*pack)->WriteAt(at.offset_bytes() + 80, AsBytes("damaged")).ok());
  const auto read = Read(diff_id);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code(), Code::kDataLoss);
  EXPECT_THAT(read.error().message(), HasSubstr("layer " + diff_id.ToString()));
}

TEST_F(LayerTarsTest, ItStopsWhenItIsCancelled) {
  const Digest diff_id = store_.AddLayer(FilesOf(1));
  int pieces = 0;
  const auto read = Read(diff_id, [&](std::size_t, ByteSpan) -> Status {
    ++pieces;
    cancel_.Cancel();
    return Ok();
  });
  EXPECT_EQ(read.error().code(), Code::kCancelled);
  EXPECT_EQ(pieces, 1);
}

}  // namespace
}  // namespace varve
