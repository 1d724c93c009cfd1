#include "cached/store/collector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

#include "cached/content/sha256.h"
#include "cached/store/rebuild.h"
#include "cached/store/verify.h"
#include "tests/store/store_fixture.h"
#include "tests/support/forwarding_fs.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

const std::string kShared = Noise(10, 200'000);

// Calls back, once, before a locator table that was made gets its name.
class WatchedDisk final : public ForwardingFs {
 public:
  Status Rename(const std::string& from, const std::string& to) override {
    if (to.ends_with(".locators")) std::exchange(before_locators, [] {})();
    return ForwardingFs::Rename(from, to);
  }
  std::function<void()> before_locators = [] {};
};

// Two images that share a file: "gone" has no name and no manifest any more, "kept" has both.
class CollectorTest : public ::testing::Test {
 protected:
  CollectorTest() {
    gone_ = store_.AddLayer({{"big", Noise(11, 900'000)}, {"shared", kShared}, {"small", "only here"}});
    kept_ = store_.AddLayer({{"mine", Noise(12, 60'000)}, {"shared", kShared}, {"small", "and here"}});
    const Digest manifest = store_.AddImage("gone:1", {gone_});
    store_.AddImage("kept:1", {kept_});
    gone_chunks_ = store_.ChunksOf(gone_);
    std::erase_if(gone_chunks_, [kept = store_.ChunksOf(kept_)](const Digest& chunk) {
      return std::ranges::find(kept, chunk) != kept.end();
    });
    JournaledChanges changes;
    changes.Erase(Column::kRef, "gone:1");
    changes.Erase(Column::kManifest, KeyOf(manifest));
    EXPECT_TRUE(store_->CommitChanges(std::move(changes)).ok());
  }

  CollectOutcome Collect(CollectOptions options = {}) {
    options.close_packs = [this](std::span<const PackId> packs) { closed_ += packs.size(); };
    const auto outcome = varve::Collect(*store_, options);
    if (!outcome.ok()) ADD_FAILURE() << outcome.error().message();
    return outcome.ok() ? *outcome : CollectOutcome();
  }
  bool IsStored(const Digest& chunk) { return store_->ReadChunk(chunk).ok(); }

  WatchedDisk disk_;
  TinyStore store_{disk_};
  Digest gone_;
  Digest kept_;
  std::vector<Digest> gone_chunks_;  // that "kept" does not share
  std::size_t closed_ = 0;
};

TEST_F(CollectorTest, GivesBackWhatNothingNames) {
  const std::uint64_t before = store_.PackBytes();
  const CollectOutcome outcome = Collect();
  EXPECT_GE(outcome.packs_dropped, 1u);
  EXPECT_EQ(outcome.packs_dropped, closed_);
  EXPECT_LT(store_.PackBytes() + 890'000, before);
  EXPECT_FALSE(store_->FindLayer(gone_).value());
  EXPECT_FALSE(store_->FindBlob(gone_).value());
  EXPECT_FALSE(std::filesystem::exists(store_.paths().layer_index(gone_.hex())));
  EXPECT_TRUE(std::ranges::none_of(gone_chunks_, [this](const Digest& chunk) { return IsStored(chunk); }));
}

TEST_F(CollectorTest, MovesWhatIsStillNamedWithItsPlacementsAndLocators) {
  EXPECT_GT(Collect().frames_moved, 0u);
  store_.ExpectReadsWhole(kept_);
  const auto damage = VerifyStore(*store_, [](const VerifyProgress&) { return Ok(); });
  ASSERT_TRUE(damage.ok());
  EXPECT_TRUE(damage->empty()) << damage->front().ToString();
  const auto after = store_.AfterKill();
  after->ExpectReadsWhole(kept_);
  EXPECT_TRUE((*after)->FindRef("kept:1").value());
}

TEST_F(CollectorTest, LeavesPacksFromWhichTheIndexCanBeRebuilt) {
  Collect();
  const auto before = store_.Records();
  store_.Close();
  std::filesystem::remove_all(store_.paths().db());
  ASSERT_TRUE(RebuildIndex(Fs::Real(), store_.paths()).ok());
  store_.Open();
  EXPECT_EQ(store_.Records(), before);
}

TEST_F(CollectorTest, KeepsChunksThatASessionHolds) {
  {
    LeaseTable::Session session(store_->leases());
    ASSERT_TRUE(session.Touch(gone_chunks_.front()));
    Collect();
    EXPECT_TRUE(IsStored(gone_chunks_.front()));
    EXPECT_FALSE(IsStored(gone_chunks_[1]));
  }
  CollectOptions every_pack;
  every_pack.dead_fraction_min = 0;
  Collect(every_pack);
  EXPECT_FALSE(IsStored(gone_chunks_.front()));
}

TEST_F(CollectorTest, WordsOfALayerThatIsCommittedAfterAMoveLeadWhereItsChunksAreNow) {
  const auto writer = store_->OpenWriter();
  const Store::LayerCommit layer = store_.Ingest({{"again", kShared}}, *writer);
  ASSERT_TRUE(writer->Flush().ok());  // it has looked its chunks up
  ASSERT_GT(Collect().frames_moved, 0u);
  ASSERT_TRUE(store_->CommitLayer(*writer, layer).ok());
  const auto damage = VerifyStore(*store_, [](const VerifyProgress&) { return Ok(); });
  ASSERT_TRUE(damage.ok());
  EXPECT_TRUE(damage->empty()) << damage->front().ToString();
  store_.ExpectReadsWhole(layer.diff_id);
}

TEST_F(CollectorTest, AWordThatIsSetWhileItsChunkMovesLeadsWhereTheChunkIsThen) {
  const MappedLayer layer = store_->index_files().OpenLayer(kept_).value();
  LocatorTable table = store_->index_files().OpenLocators(layer, LocatorTable::Access::kReadWrite).value();
  const Digest chunk = store_.ChunksOf(kept_).front();
  bool collected = false;
  const Status set = SetWord(table, 0, [&]() -> Result<Locator> {
    const Locator placed = ToLocator(LocationOf(store_.PlacementOf(chunk)));
    if (!std::exchange(collected, true)) Collect();
    return placed;
  });
  ASSERT_TRUE(set.ok());
  EXPECT_EQ(table.Get(0), ToLocator(LocationOf(store_.PlacementOf(chunk))));
}

TEST_F(CollectorTest, ATableThatIsMadeWhileChunksMoveLeadsWhereTheyAreThen) {
  const MappedLayer layer = store_->index_files().OpenLayer(kept_).value();
  std::filesystem::remove(store_.paths().locators(kept_.hex()));
  disk_.before_locators = [this] { EXPECT_GT(Collect().frames_moved, 0u); };
  ASSERT_TRUE(store_->index_files().OpenLocators(layer, LocatorTable::Access::kReadOnly).ok());
  store_.ExpectReadsWhole(kept_);
}

TEST_F(CollectorTest, KeepsImagesInUseAndDropsTheOthersIfAsked) {
  CollectOptions options;
  options.images = CollectOptions::Images::kUnused;
  options.in_use = {ChainIdOf(std::vector{gone_})};
  Collect(options);
  store_.ExpectReadsWhole(gone_);
  EXPECT_FALSE(store_->FindRef("kept:1").value());
  EXPECT_FALSE(store_->FindLayer(kept_).value());
}

TEST_F(CollectorTest, WhatWasCollectedCanBeTakenInAgain) {
  Collect();
  EXPECT_EQ(store_.AddLayer({{"big", Noise(11, 900'000)}, {"shared", kShared}, {"small", "only here"}}), gone_);
  store_.ExpectReadsWhole(gone_);
  store_.ExpectReadsWhole(kept_);
}

TEST_F(CollectorTest, AnImageWhoseIndexCannotBeReadStopsItWithAWordOnWhatToDoAndGoesOnceItIsRemoved) {
  const store::Placement index = store_->FindLayer(kept_).value()->index().parts(0);
  const auto pack =
      Fs::Real().Open(store_.paths().packs() + "/" + PackId{index.pack()}.FileName(), OpenMode::kReadWrite);
  ASSERT_TRUE(pack.ok() && (*pack)->WriteAt(index.offset_bytes(), Bytes(index.frame_bytes())).ok());
  std::filesystem::remove(store_.paths().layer_index(kept_.hex()));
  CollectOptions options;
  options.close_packs = [](std::span<const PackId>) {};
  const auto stopped = varve::Collect(*store_, options);
  ASSERT_FALSE(stopped.ok());
  for (const std::string& part : {std::string("image kept:1"), kept_.ToString(), std::string("repair or remove it"),
                                  std::string("varve store verify --repair-from-registry")}) {
    EXPECT_THAT(stopped.error().message(), HasSubstr(part));
  }
  EXPECT_TRUE(std::ranges::all_of(gone_chunks_, [this](const Digest& chunk) { return IsStored(chunk); }));
  options.images = CollectOptions::Images::kUnused;
  Collect(options);
  EXPECT_FALSE(store_->FindLayer(kept_).value());
  EXPECT_FALSE(IsStored(gone_chunks_.front()));
}

TEST_F(CollectorTest, AChunkThatIsCondemnedIsWrittenAnew) {
  const Digest chunk = gone_chunks_.front();
  const Bytes content = store_->ReadChunk(chunk).value();
  const store::Placement condemned = store_.PlacementOf(chunk);
  store_->leases().BeginCollection();
  store_->leases().Condemn(std::span(&chunk, 1));
  const auto writer = store_->OpenWriter();
  ASSERT_TRUE(writer->Add(chunk, content).ok());
  ASSERT_TRUE(store_->committer().Commit(writer->Finish().value()).ok());
  store_->leases().EndCollection();
  EXPECT_NE(LocationOf(store_.PlacementOf(chunk)), LocationOf(condemned));
  EXPECT_EQ(store_->ReadChunk(chunk).value(), content);
}

// A use once rewrote the manifest's record: one that a collection moved meanwhile then pointed into a dropped pack.
TEST_F(CollectorTest, AUseNeverTouchesTheRecordThatACollectionMoves) {
  const Digest image = store_.AddImage("used:1", {kept_});
  const auto record = store_->database().Get(Column::kManifest, KeyOf(image)).value();
  const auto pulled = store_->database().Get(Column::kUse, KeyOf(image)).value();
  ASSERT_TRUE(store_->CommitUse(image, ManualClock().Now() + std::chrono::nanoseconds(1)).ok());
  EXPECT_EQ(store_->database().Get(Column::kManifest, KeyOf(image)).value(), record);
  EXPECT_NE(store_->database().Get(Column::kUse, KeyOf(image)).value(), pulled);
}

TEST_F(CollectorTest, ForgetsTheUsesOfImagesThatAreGone) {
  const auto uses = [&] {
    int count = 0;
    EXPECT_TRUE(store_->database().Scan(Column::kUse, [&](auto, auto) { return ++count, Ok(); }).ok());
    return count;
  };
  EXPECT_EQ(uses(), 2);
  Collect();
  EXPECT_EQ(uses(), 1);
}

TEST_F(CollectorTest, AChunkWrittenAnewInTheGroupThatErasesItStays) {
  const Digest chunk = gone_chunks_.front();
  const Bytes content = store_->ReadChunk(chunk).value();
  const std::string old = store_.PlacementOf(chunk).SerializeAsString();
  store_->leases().BeginCollection();
  store_->leases().Condemn(std::span(&chunk, 1));
  const auto writer = store_->OpenWriter();
  ASSERT_TRUE(writer->Add(chunk, content).ok());
  Committer::Batch anew = writer->Finish().value();
  Committer::Batch erase;
  erase.moves.push_back({Column::kChunk, std::string(KeyOf(chunk)), old, std::nullopt});
  auto first = store_->committer().CommitAsync(std::move(anew));  // both are waiting when the group is taken
  auto second = store_->committer().CommitAsync(std::move(erase));
  ASSERT_TRUE(first.get().ok() && second.get().ok());
  store_->leases().EndCollection();
  EXPECT_EQ(store_->ReadChunk(chunk).value(), content);
}

TEST_F(CollectorTest, TheIndexRebuiltLeavesOutALayerWhoseChunksWentBeforeIt) {
  Collect();
  const Digest layer = store_.AddLayer({{"alone", Noise(13, 3'000)}});
  const store::Placement chunk = store_.PlacementOf(store_.ChunksOf(layer).front());
  store_.Close();
  {
    const auto pack =
        Fs::Real().Open(store_.paths().packs() + "/" + PackId{chunk.pack()}.FileName(), OpenMode::kReadWrite);
    ASSERT_TRUE(pack.ok() && (*pack)->WriteAt(chunk.offset_bytes(), Bytes(chunk.frame_bytes())).ok());
  }
  std::filesystem::remove_all(store_.paths().db());
  ASSERT_TRUE(RebuildIndex(Fs::Real(), store_.paths()).ok());
  store_.Open();
  EXPECT_FALSE(store_->FindLayer(layer).value());
  EXPECT_TRUE(store_->FindLayer(kept_).value());
}

TEST(JournalTest, ACheckpointLosesNoChangeThatIsOnItsWay) {
  TinyStore store;
  std::atomic<bool> done = false;
  std::thread changes([&] {
    for (int i = 0; i < 40; ++i) EXPECT_TRUE(store->SlotOf(Sha256Of(AsBytes(std::to_string(i)))).ok());
    done = true;
  });
  while (!done) EXPECT_TRUE(store->CheckpointJournal().ok());
  changes.join();
  const auto before = store.Records();
  store.Close();
  std::filesystem::remove_all(store.paths().db());
  ASSERT_TRUE(RebuildIndex(Fs::Real(), store.paths()).ok());
  store.Open();
  EXPECT_EQ(store.Records(), before);
}

}  // namespace
}  // namespace varve
