#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cached/base/fs.h"
#include "cached/content/sha256.h"
#include "cached/tree/image_index.h"
#include "cached/tree/locator_table.h"
#include "tests/tree/layer_builder.h"

// Files that version 1 wrote; docs/format/ explains them byte by byte. They are never edited: a varve that cannot read
// them has lost its users' stores.
namespace varve {
namespace {

std::string Path(std::string_view name) { return std::string(VARVE_GOLDEN_DIR) + "/" + std::string(name); }
Bytes Read(std::string_view name) { return ReadWholeFile(Fs::Real(), Path(name), 1 << 20).value(); }

const Digest kLayer1 = Sha256Of(AsBytes("layer 1"));
const Digest kLayer2 = Sha256Of(AsBytes("layer 2"));

TEST(GoldenTest, LayerIndexOfVersion1IsRead) {
  const Bytes file = Read("layer-index-v1");
  const LayerIndex index = LayerIndex::Open(file, kLayer1, IndexCheck::kFull).value();
  ASSERT_EQ(index.inodes().size(), 4u);
  const fb::Inode& etc = index.inodes()[1];
  const fb::Inode& motd = index.inodes()[2];
  EXPECT_EQ(index.name(index.entries(etc)[0]), "motd");
  EXPECT_EQ(motd.mode(), S_IFREG | 0644u);
  EXPECT_EQ(motd.mtime_seconds(), 1'000'000'000);
  EXPECT_EQ(DigestOf(index.chunks()[index.extent(motd, 0).chunk()].sha256()), Sha256Of(AsBytes("hi")));
}

TEST(GoldenTest, ImageIndexOfVersion1IsRead) {
  const Bytes file = Read("image-index-v1");
  const ChainId chain_id = ChainIdOf(std::vector{kLayer1, kLayer2});
  const ImageIndex index = ImageIndex::Open(file, chain_id, IndexCheck::kFull).value();
  ASSERT_EQ(index.inodes().size(), 2u);
  const fb::ImageEntry* motd = index.Find(index.inodes()[1], "motd");
  ASSERT_NE(motd, nullptr);
  EXPECT_EQ(motd->layer(), 1u);
  EXPECT_EQ(motd->ordinal(), 2u);
}

TEST(GoldenTest, LocatorTableOfVersion1IsRead) {
  const auto table =
      LocatorTable::Open(Fs::Real(), Path("locator-table-v1"), kLayer1, 2, LocatorTable::Access::kReadOnly).value();
  EXPECT_EQ(table.Get(0), (Locator{.pack = 7, .offset_bytes = 1280, .length_bytes = 384}));
  EXPECT_EQ(table.Get(1), Locator{});
}

TEST(GoldenTest, TheSameLayersGiveTheSameIndexes) {
  const BuiltImage image =
      BuildImage({Layer().Line("file etc/motd hi mtime=1000000000").File("etc/old", "x"), Layer().Whiteout("etc/old")})
          .value();
  EXPECT_EQ(image.layers[0].file, Read("layer-index-v1-streamed"));
  EXPECT_EQ(image.file, Read("image-index-v1-streamed"));
}

TEST(GoldenTest, TheSameWordsGiveTheSameLocatorTable) {
  const std::vector<std::uint64_t> words = {Locator{.pack = 7, .offset_bytes = 1280, .length_bytes = 384}.Pack(), 0};
  EXPECT_EQ(LocatorTable::Encode(kLayer1, words), Read("locator-table-v1"));
}

}  // namespace
}  // namespace varve
