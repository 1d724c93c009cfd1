// A pack that could not be synced: who needs what it lost fails, everybody else goes on, without a restart.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cached/content/sha256.h"
#include "cached/store/collector.h"
#include "tests/store/store_fixture.h"
#include "tests/support/fault_fs.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

const std::string kContent = Noise(20, 100'000);
const Digest kChunk = Sha256Of(AsBytes(kContent));

std::unique_ptr<ChunkWriter> WriterOfChunk(TinyStore& store) {
  auto writer = store->OpenWriter();
  EXPECT_TRUE(writer->Add(kChunk, AsBytes(kContent)).ok() && writer->Flush().ok());
  return writer;
}

Status Commit(TinyStore& store, ChunkWriter& writer) { return store->committer().Commit(writer.Finish().value()); }

// The first thing that a commit does to files is to sync a pack.
Status CommitWithoutSync(TinyStore& store, FaultFs& fs, ChunkWriter& writer) {
  Committer::Batch batch = writer.Finish().value();
  fs.FailAt(1, FaultFs::Failing::kOnce, Error(Code::kUnknown, "injected"));
  return store->committer().Commit(std::move(batch));
}

TEST(LostPackTest, AfterAnyFailedOperationTheSameLayerCanBeTakenIn) {
  const TinyStore::Files files = {{"small", "content"}};
  bool reached = true;
  for (std::uint64_t n = 1; reached && !testing::Test::HasFailure(); ++n) {
    SCOPED_TRACE(n);
    FaultFs fs;
    TinyStore store(fs);
    fs.FailAt(n, FaultFs::Failing::kOnce);
    store.TryAddLayer(files).IgnoreError("the next attempt has to succeed");
    reached = fs.operations() >= n;
    fs.Heal();
    store.ExpectReadsWhole(store.AddLayer(files));
  }
}

TEST(LostPackTest, EveryCommitThatNeedsALostChunkFailsAndSaysWhy) {
  FaultFs fs;
  TinyStore store(fs);
  const auto appender = WriterOfChunk(store);
  const auto finder = WriterOfChunk(store);
  for (const Status& failed : {CommitWithoutSync(store, fs, *finder), Commit(store, *appender)}) {
    ASSERT_FALSE(failed.ok());
    EXPECT_THAT(failed.error().message(), HasSubstr("000001.pack: injected"));
    EXPECT_THAT(failed.error().message(), HasSubstr("has to be stored again"));
  }
  EXPECT_EQ(store->ReadChunk(kChunk).error().code(), Code::kNotFound);
}

TEST(LostPackTest, ALostChunkIsWrittenAnewElsewhereAndIsDurableThere) {
  FaultFs fs;
  TinyStore store(fs);
  ASSERT_FALSE(CommitWithoutSync(store, fs, *WriterOfChunk(store)).ok());
  ASSERT_TRUE(Commit(store, *WriterOfChunk(store)).ok());
  store.Close();
  fs.Crash(FaultFs::Unsynced::kDropped);
  store.Open();
  EXPECT_EQ(store.PlacementOf(kChunk).pack(), 2u);
  EXPECT_EQ(AsText(store->ReadChunk(kChunk).value()), kContent);
}

TEST(LostPackTest, NobodyAppendsToALostPack) {
  FaultFs fs;
  TinyStore store(fs);
  const auto writer = WriterOfChunk(store);
  ASSERT_FALSE(CommitWithoutSync(store, fs, *writer).ok());
  const std::string more = Noise(22, 100'000);
  ASSERT_TRUE(writer->Add(Sha256Of(AsBytes(more)), AsBytes(more)).ok());
  EXPECT_EQ(writer->Flush().error().code(), Code::kUnavailable);
}

TEST(LostPackTest, WhatALostPackHeldBeforeStaysReadableAndCanBeMovedOutOfIt) {
  FaultFs fs;
  TinyStore store(fs);
  const Digest layer = store.AddLayer({{"file", Noise(23, 100'000)}});
  store.AddImage("kept:1", {layer});
  ASSERT_FALSE(CommitWithoutSync(store, fs, *WriterOfChunk(store)).ok());
  store.ExpectReadsWhole(layer);
  CollectOptions options;
  options.close_packs = [](std::span<const PackId>) {};
  options.dead_fraction_min = 0;
  const auto outcome = Collect(*store, options);
  ASSERT_TRUE(outcome.ok()) << outcome.error().message();
  EXPECT_EQ(fs.FileSize(store.paths().packs() + "/000001.pack").error().code(), Code::kNotFound);
  store.ExpectReadsWhole(layer);
}

}  // namespace
}  // namespace varve
