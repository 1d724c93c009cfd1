#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cached/store/collector.h"
#include "tests/store/pushed_store.h"

namespace varve {
namespace {

using ::testing::UnorderedElementsAre;

constexpr std::size_t kLayerBytes = 300'000;
constexpr std::uint64_t kRoomForTwo = 2 * kLayerBytes + 100'000;  // layers, their indexes and recipes

// Three images of a layer each, used in the order of their names.
class EvictionTest : public ::testing::Test {
 protected:
  EvictionTest() {
    for (const char* name : kNames) {
      layers_.push_back(store_.AddLayer(FilesOf(layers_.size())));
      images_.push_back(store_.AddImage(name, {layers_.back()}));
      Use(images_.back());
    }
  }
  static TinyStore::Files FilesOf(std::size_t layer) {
    return {{kNames[layer], Noise(static_cast<unsigned>(layer), kLayerBytes)}};
  }
  void Use(const Digest& image) {
    clock_.Advance(std::chrono::nanoseconds(1));
    EXPECT_TRUE(store_->CommitUse(image, clock_.Now()).ok());
  }
  // The names that are left once all that stays has at most `keep_bytes`.
  std::vector<std::string> Keep(std::uint64_t keep_bytes, CollectOptions options = {}) {
    options.images = CollectOptions::Images::kLeastRecentlyUsed;
    options.keep_bytes = keep_bytes;
    options.close_packs = [](std::span<const PackId>) {};
    const auto outcome = Collect(*store_, options);
    EXPECT_TRUE(outcome.ok()) << outcome.error().message();
    for (const CollectOutcome::Image& image : outcome->deleted)
      deleted_.insert(deleted_.end(), image.names.begin(), image.names.end());
    std::vector<std::string> names;
    EXPECT_TRUE(
        store_->database().Scan(Column::kRef, [&](auto key, auto) { return names.emplace_back(key), Ok(); }).ok());
    return names;
  }

  static constexpr const char* kNames[] = {"a:1", "b:1", "c:1"};
  TinyStore store_;
  ManualClock clock_;
  std::vector<Digest> layers_;
  std::vector<Digest> images_;
  std::vector<std::string> deleted_;
};

TEST_F(EvictionTest, TakesTheLeastRecentlyUsedUntilTheRestFits) {
  Use(images_[0]);
  EXPECT_THAT(Keep(kRoomForTwo), UnorderedElementsAre("a:1", "c:1"));
  EXPECT_THAT(deleted_, UnorderedElementsAre("b:1"));
  EXPECT_LT(store_.PackBytes(), kRoomForTwo + 100'000);
  EXPECT_FALSE(store_->FindManifest(images_[1]).value());
  store_.ExpectReadsWhole(layers_[0]);
}

TEST_F(EvictionTest, WhatRepositoriesNeedIsPartOfTheBudgetAndStays) {
  Pusher pusher(*store_, clock_);
  pusher.PushManifest("test/a", "manifest", {pusher.PushBlob("test/a", TarOf(FilesOf(0)))});
  EXPECT_THAT(Keep(kRoomForTwo), UnorderedElementsAre("c:1"));
  store_.ExpectReadsWhole(layers_[0]);
}

TEST_F(EvictionTest, TakesNothingWhileAllFits) {
  EXPECT_EQ(Keep(10 * kRoomForTwo).size(), 3u);
  EXPECT_TRUE(deleted_.empty());
}

TEST_F(EvictionTest, SparesWhatIsInUseOrWasJustPulledAndTakesNewerInstead) {
  CollectOptions options;
  options.in_use = {ChainIdOf(std::vector{layers_[0]})};
  options.spared = {images_[1]};
  EXPECT_THAT(Keep(0, options), UnorderedElementsAre("a:1", "b:1"));
  store_.ExpectReadsWhole(layers_[0]);
  store_.ExpectReadsWhole(layers_[1]);
}

TEST_F(EvictionTest, SparesAnImageThatIsBeingPulled) {
  LeaseTable::Session pull(store_->leases());
  ASSERT_TRUE(pull.Touch(ChainIdOf(std::vector{layers_[0]}).digest));
  EXPECT_THAT(Keep(0), UnorderedElementsAre("a:1"));
}

TEST_F(EvictionTest, CountsSharedLayersOnce) {
  Use(store_.AddImage("c:again", {layers_[2]}));
  EXPECT_THAT(Keep(kRoomForTwo), UnorderedElementsAre("b:1", "c:1", "c:again"));
}

TEST_F(EvictionTest, AnImageInUseWithoutANameTakesItsShareOfTheRoom) {
  JournaledChanges changes;
  changes.Erase(Column::kRef, "a:1");
  changes.Erase(Column::kManifest, KeyOf(images_[0]));
  ASSERT_TRUE(store_->CommitChanges(std::move(changes)).ok());
  CollectOptions options;
  options.in_use = {ChainIdOf(std::vector{layers_[0]})};
  EXPECT_THAT(Keep(kRoomForTwo, options), UnorderedElementsAre("c:1"));
}

TEST_F(EvictionTest, WithoutARecordOfItsUseAnImageIsAsOldAsItsPull) {
  Database::Batch forget;
  forget.Erase(Column::kUse, KeyOf(images_[2]));
  ASSERT_TRUE(store_->CommitLocal(std::move(forget)).ok());
  EXPECT_THAT(Keep(kRoomForTwo), UnorderedElementsAre("a:1", "b:1"));
}

}  // namespace
}  // namespace varve
