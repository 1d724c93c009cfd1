#include "fuse/frame_ahead.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <vector>

#include "cached/content/sha256.h"
#include "cached/pack/pack_writer.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

// A pack of frames of 8 KiB each, and what of them is decoded after somebody has passed some.
class FrameAheadTest : public testing::Test {
 protected:
  static constexpr std::size_t kFrames = 400;
  static constexpr std::uint32_t kRawBytes = 8 << 10;
  static constexpr std::size_t kFramesAhead = FrameAhead::kAheadBytes / (kRawBytes + kFrameAlignment);
  static constexpr std::size_t kRecord = 20;  // is no chunk

  void SetUp() override {
    auto writer = PackWriter::Create(Fs::Real(), directory_.path(), PackId{1});
    ASSERT_TRUE(writer.ok());
    for (std::size_t i = 0; i < kFrames; ++i) {
      const Bytes payload(kRawBytes, static_cast<std::byte>(i));
      const auto kind = i == kRecord ? FrameKind::kLayerIndex : FrameKind::kChunk;
      const auto at = writer->Append(kind, Codec::kRaw, payload, kRawBytes, Sha256Of(payload));
      ASSERT_TRUE(at.ok());
      frames_.push_back({at->pack.number, at->offset_bytes, at->length_bytes});
    }
  }
  void Damage(std::size_t frame) {
    std::fstream file(directory_ / PackId{1}.FileName(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(frames_[frame].offset_bytes + kFrameHeaderBytes);
    file.put('\xff');
  }
  void Pass(std::initializer_list<std::size_t> frames) {
    FrameAhead ahead(packs_, cache_);
    for (const std::size_t frame : frames) ahead.Passed(frames_[frame]);
  }
  bool IsDecoded(std::size_t frame) { return cache_.Find(frames_[frame]) != nullptr; }
  std::size_t Decoded() {
    return static_cast<std::size_t>(
        std::ranges::count_if(frames_, [this](const Locator& at) { return cache_.Find(at) != nullptr; }));
  }

  const TempDir directory_;
  std::vector<Locator> frames_;
  PackFiles packs_{directory_.path()};
  FrameCache cache_{64 << 20};
};

TEST_F(FrameAheadTest, WhatFollowsThreeFilesInARowIsDecoded) {
  Pass({4, 5, 6});
  EXPECT_FALSE(IsDecoded(6));
  for (const std::size_t frame : {7u, 8u, 40u, 66u}) {
    ASSERT_TRUE(IsDecoded(frame)) << frame;
    EXPECT_EQ(cache_.Find(frames_[frame])->payload, Bytes(kRawBytes, static_cast<std::byte>(frame)));
  }
  EXPECT_FALSE(IsDecoded(kRecord));
  EXPECT_EQ(Decoded(), kFramesAhead - 1);
}

TEST_F(FrameAheadTest, TwoFilesAreNoScan) {
  Pass({4, 5});
  EXPECT_EQ(Decoded(), 0u);
}

TEST_F(FrameAheadTest, ReadsHereAndThereDecodeNothing) {
  Pass({300, 10, 200, 100, 390});
  EXPECT_EQ(Decoded(), 0u);
}

TEST_F(FrameAheadTest, TheSameFileAgainAndAgainIsNoScan) {
  Pass({4, 4, 4, 4, 4});
  EXPECT_EQ(Decoded(), 0u);
}

TEST_F(FrameAheadTest, StepsBackDoNotEndAScan) {
  Pass({4, 8, 6, 5, 9});
  EXPECT_TRUE(IsDecoded(10));
}

TEST_F(FrameAheadTest, TwoReadersInOnePackAreTwoScans) {
  Pass({4, 204, 5, 205, 6, 206});
  EXPECT_TRUE(IsDecoded(207));
}

TEST_F(FrameAheadTest, AScanGoesOnOnceItsReaderHasComeHalfWay) {
  Pass({4, 5, 6, 6 + kFramesAhead / 2 + 1});
  EXPECT_TRUE(IsDecoded(6 + kFramesAhead / 2 + 1 + kFramesAhead));
}

TEST_F(FrameAheadTest, ADamagedFrameIsLeftToItsReader) {
  Damage(30);
  Pass({4, 5, 6});
  EXPECT_TRUE(IsDecoded(29));
  EXPECT_FALSE(IsDecoded(30));
}

TEST_F(FrameAheadTest, ThePacksEndEndsIt) {
  Pass({kFrames - 4, kFrames - 3, kFrames - 2});
  EXPECT_TRUE(IsDecoded(kFrames - 1));
  Pass({kFrames - 3, kFrames - 2, kFrames - 1});
  EXPECT_EQ(Decoded(), 1u);
}

}  // namespace
}  // namespace varve
