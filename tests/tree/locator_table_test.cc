#include "cached/tree/locator_table.h"

#include <gtest/gtest.h>

#include <vector>

#include "cached/content/sha256.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

constexpr Locator kSome{.pack = 7, .offset_bytes = 1280, .length_bytes = 384};
constexpr Locator kLargest{.pack = (1 << 24) - 1, .offset_bytes = (1 << 28) - 128, .length_bytes = 4095 * 128};

class LocatorTableTest : public testing::Test {
 protected:
  void Write(const std::vector<std::uint64_t>& words) {
    ASSERT_TRUE(WriteFileAtomically(Fs::Real(), path_, LocatorTable::Encode(diff_id_, words)).ok());
  }
  Result<LocatorTable> Open(std::size_t count, LocatorTable::Access access = LocatorTable::Access::kReadOnly) {
    return LocatorTable::Open(Fs::Real(), path_, diff_id_, count, access);
  }

  TempDir directory_;
  const std::string path_ = directory_ / "table";
  const Digest diff_id_ = Sha256Of(AsBytes("layer"));
};

TEST(LocatorTest, WordsGiveBackWhatWasPacked) {
  EXPECT_EQ(Locator::Unpack(kSome.Pack()), kSome);
  EXPECT_EQ(Locator::Unpack(kLargest.Pack()), kLargest);
  EXPECT_EQ(Locator{}.Pack(), 0u);
  EXPECT_EQ(kSome.Pack(), 0x000007'0000500'003u);
}

TEST(LocatorDeathTest, WhatDoesNotFitIsOurBug) {
  EXPECT_DEATH(std::ignore = (Locator{.pack = 1 << 24}.Pack()), "bug");
  EXPECT_DEATH(std::ignore = (Locator{.pack = 1, .offset_bytes = 64}.Pack()), "bug");
  EXPECT_DEATH(std::ignore = (Locator{.pack = 1, .length_bytes = 4096 * 128}.Pack()), "bug");
}

TEST_F(LocatorTableTest, ReadersSeeWhatTheWriterSets) {
  Write({kSome.Pack(), 0, 0});
  const auto reader = Open(3).value();
  auto writer = Open(3, LocatorTable::Access::kReadWrite).value();
  EXPECT_EQ(reader.Get(0), kSome);
  EXPECT_EQ(reader.Get(2).pack, 0u);
  writer.Set(2, kLargest);
  EXPECT_EQ(reader.Get(2), kLargest);
  EXPECT_EQ(reader.size(), 3u);
}

TEST_F(LocatorTableTest, LayerWithoutChunksHasATable) {
  Write({});
  EXPECT_EQ(Open(0).value().size(), 0u);
}

TEST_F(LocatorTableTest, RewritingLeavesOldMappingsAlone) {
  Write({kSome.Pack(), 0});
  const auto reader = Open(2).value();
  Write({kLargest.Pack()});
  EXPECT_EQ(reader.Get(0), kSome);
  EXPECT_EQ(Open(1).value().Get(0), kLargest);
}

TEST_F(LocatorTableTest, AnotherLayersTableIsRefused) {
  Write({0, 0});
  EXPECT_EQ(Open(3).error().code(), Code::kDataLoss);
  EXPECT_EQ(LocatorTable::Open(Fs::Real(), path_, Sha256Of(AsBytes("other")), 2, LocatorTable::Access::kReadOnly)
                .error()
                .code(),
            Code::kDataLoss);
}

TEST_F(LocatorTableTest, EveryDamagedHeaderByteIsNoticed) {
  Write({0});
  const Bytes good = ReadWholeFile(Fs::Real(), path_, 1000).value();
  for (std::size_t i = 0; i < 64; ++i) {
    Bytes bad = good;
    bad[i] ^= std::byte{1};
    ASSERT_TRUE(WriteFileAtomically(Fs::Real(), path_, bad).ok());
    EXPECT_EQ(Open(1).error().code(), Code::kDataLoss) << i;
  }
}

TEST_F(LocatorTableTest, TruncatedTableIsRefused) {
  Write({0, 0});
  const Bytes good = ReadWholeFile(Fs::Real(), path_, 1000).value();
  for (std::size_t size = 0; size < good.size(); ++size) {
    ASSERT_TRUE(WriteFileAtomically(Fs::Real(), path_, ByteSpan(good).first(size)).ok());
    EXPECT_EQ(Open(2).error().code(), Code::kDataLoss) << size;
  }
}

}  // namespace
}  // namespace varve
