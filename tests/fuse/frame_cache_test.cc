#include "fuse/frame_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>

namespace varve {
namespace {

constexpr std::size_t kBudgetBytes = 80 << 10;  // 10 KiB for each of the eight shards

Locator At(std::uint32_t pack, std::uint32_t offset) {
  return {.pack = pack, .offset_bytes = offset, .length_bytes = 128};
}

Result<DecodedFramePtr> FrameOf(std::size_t bytes) {
  return std::make_shared<const DecodedFrame>(FrameKind::kChunk, Digest{}, Bytes(bytes));
}

TEST(FrameCacheTest, AFrameIsDecodedOnce) {
  FrameCache cache(kBudgetBytes);
  const auto first = cache.FindOrDecode(At(1, 128), [] { return FrameOf(100); });
  ASSERT_TRUE(first.ok());
  const auto second =
      cache.FindOrDecode(At(1, 128), []() -> Result<DecodedFramePtr> { return Error(Code::kInternal, "again"); });
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(cache.Find(At(1, 128)), *first);
  EXPECT_EQ(cache.Find(At(2, 128)), nullptr);
}

TEST(FrameCacheTest, ThreadsThatMissTheSameFrameDecodeItOnce) {
  FrameCache cache(kBudgetBytes);
  std::atomic<int> decoded = 0;
  std::latch all_started(4);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      all_started.arrive_and_wait();
      EXPECT_TRUE(cache.FindOrDecode(At(1, 128), [&] { return ++decoded, FrameOf(100); }).ok());
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(decoded, 1);
}

TEST(FrameCacheTest, AFailureIsForgotten) {
  FrameCache cache(kBudgetBytes);
  EXPECT_FALSE(
      cache.FindOrDecode(At(1, 128), []() -> Result<DecodedFramePtr> { return Error(Code::kDataLoss, "x"); }).ok());
  EXPECT_TRUE(cache.FindOrDecode(At(1, 128), [] { return FrameOf(1); }).ok());
}

TEST(FrameCacheTest, TheBudgetHoldsAndTheLastUsedStays) {
  FrameCache cache(kBudgetBytes);
  const Locator kept = At(1, 128);
  ASSERT_TRUE(cache.FindOrDecode(kept, [] { return FrameOf(1000); }).ok());
  for (std::uint32_t i = 2; i < 1000; ++i) {
    ASSERT_TRUE(cache.FindOrDecode(At(1, i * 128), [] { return FrameOf(1000); }).ok());
    ASSERT_NE(cache.Find(kept), nullptr) << "after " << i;
  }
  int found = 0;
  for (std::uint32_t i = 1; i < 1000; ++i) found += cache.Find(At(1, i * 128)) != nullptr;
  EXPECT_LE(found, 80);
  EXPECT_GE(found, 8);
}

TEST(FrameCacheTest, AFrameLargerThanAShardIsGivenButNotKept) {
  FrameCache cache(kBudgetBytes);
  EXPECT_TRUE(cache.FindOrDecode(At(1, 128), [] { return FrameOf(11 << 10); }).ok());
  EXPECT_EQ(cache.Find(At(1, 128)), nullptr);
}

TEST(FrameCacheTest, DroppedPacksLeaveNothing) {
  FrameCache cache(kBudgetBytes);
  for (const std::uint32_t pack : {1u, 2u, 3u})
    ASSERT_TRUE(cache.FindOrDecode(At(pack, 128), [] { return FrameOf(10); }).ok());
  cache.DropPacks(std::array{1u, 3u});
  EXPECT_EQ(cache.Find(At(1, 128)), nullptr);
  EXPECT_NE(cache.Find(At(2, 128)), nullptr);
  EXPECT_EQ(cache.Find(At(3, 128)), nullptr);
}

}  // namespace
}  // namespace varve
