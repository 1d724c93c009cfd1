#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "cached/content/sha256.h"
#include "cached/store/rebuild.h"
#include "tests/store/store_fixture.h"
#include "tests/support/forwarding_fs.h"

namespace varve {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

const TinyStore::Files kBase = {{"bin", Noise(1, 300'000)}, {"etc", "small"}, {"lib", "small too"}};
const TinyStore::Files kTop = {{"etc", "changed"}, {"app", Noise(2, 50'000)}};
constexpr std::string_view kName = "docker.io/library/tiny:latest";

std::string PathOf(const TinyStore& store, std::uint32_t pack) {
  return store.paths().packs() + "/" + PackId{pack}.FileName();
}

TEST(StoreTest, CommittedLayersAndImagesSurviveAKill) {
  TinyStore store;
  const std::vector layers = {store.AddLayer(kBase), store.AddLayer(kTop)};
  const Digest manifest = store.AddImage(std::string(kName), layers);
  const auto after = store.AfterKill();
  EXPECT_EQ(after->Records(), store.Records());
  for (const Digest& layer : layers) after->ExpectReadsWhole(layer);
  const auto record = (*after)->FindManifest(manifest).value();
  ASSERT_TRUE(record);
  EXPECT_EQ(AsText((*after)->ReadParts(record->config()).value()), "config of " + std::string(kName));
  EXPECT_EQ((*after)->FindRef(kName).value()->manifest_digest(), KeyOf(manifest));
}

TEST(StoreTest, WhatWasNotCommittedIsGoneAfterAKillAndItsPackIsCut) {
  TinyStore store;
  const Digest kept = store.AddLayer(kBase);
  const auto before = store.Records();
  const std::uint64_t pack_bytes = store.PackBytes();

  const std::string content = Noise(3, 100'000);
  const auto writer = store->OpenWriter();
  ASSERT_TRUE(writer->Add(Sha256Of(AsBytes(content)), AsBytes(content)).ok());
  ASSERT_TRUE(writer->Flush().ok());
  ASSERT_GT(store.PackBytes(), pack_bytes + content.size());

  const auto after = store.AfterKill();
  EXPECT_EQ(after->Records(), before);
  EXPECT_EQ(after->PackBytes(), pack_bytes);
  EXPECT_EQ((*after)->ReadChunk(Sha256Of(AsBytes(content))).error().code(), Code::kNotFound);
  after->ExpectReadsWhole(kept);
}

TEST(StoreTest, RemovesPacksThatTheIndexDoesNotKnow) {
  TinyStore store;
  store.AddLayer(kBase);
  store.Close();
  std::ofstream(PathOf(store, 99)) << "of a commit that never was";
  store.Open();
  EXPECT_FALSE(std::filesystem::exists(PathOf(store, 99)));
}

TEST(StoreTest, IndexFilesThatAreMissingComeBackFromThePacks) {
  TinyStore store;
  const Digest layer = store.AddLayer(kBase);
  store.AddImage(std::string(kName), {layer});
  store.Close();
  std::filesystem::remove_all(store.paths().index());
  store.Open();
  store.ExpectReadsWhole(layer);
  EXPECT_TRUE(store->index_files().OpenImage(ChainIdOf(std::vector{layer})).ok());
}

TEST(StoreTest, LocatorWordsThatAKillLeftLeadingNowhereArePutRight) {
  TinyStore store;
  const Digest layer = store.AddLayer(kBase);
  {
    const MappedLayer mapped = store->index_files().OpenLayer(layer).value();
    auto table = store->index_files().OpenLocators(mapped, LocatorTable::Access::kReadWrite).value();
    table.Set(0, {.pack = 999, .offset_bytes = 128, .length_bytes = 128});      // of a pack that was dropped
    table.Set(1, {.pack = 1, .offset_bytes = 128 << 20, .length_bytes = 128});  // of a commit that never was
  }
  const auto after = store.AfterKill();
  after->ExpectReadsWhole(layer);
}

TEST(StoreTest, RefusesAStoreOfANewerVarve) {
  TinyStore store;
  store.Close();
  std::ofstream(store.paths().version()) << "2\n";
  const auto opened = Store::Open(Fs::Real(), store.paths(), {});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), Code::kFailedPrecondition);
  EXPECT_THAT(opened.error().message(), HasSubstr("version 2"));
}

TEST(RebuildTest, IndexFromPacksAloneIsTheSame) {
  TinyStore store;
  const std::vector layers = {store.AddLayer(kBase), store.AddLayer(kTop)};
  store.AddImage(std::string(kName), layers);
  ASSERT_TRUE(store->SlotOf(layers[0]).ok());
  const auto before = store.Records();
  store.Close();
  EXPECT_EQ(RebuildIndex(Fs::Real(), store.paths()).error().code(), Code::kFailedPrecondition);
  std::filesystem::remove_all(store.paths().db());
  const auto outcome = RebuildIndex(Fs::Real(), store.paths());
  ASSERT_TRUE(outcome.ok()) << outcome.error().message();
  EXPECT_THAT(outcome->damage, IsEmpty());
  EXPECT_EQ(outcome->layers, 2u);
  EXPECT_EQ(outcome->images, 1u);
  EXPECT_EQ(outcome->names, 1u);
  store.Open();
  EXPECT_EQ(store.Records(), before);
  for (const Digest& layer : layers) store.ExpectReadsWhole(layer);
}

TEST(RebuildTest, LeavesOutWhatLostItsIndexAndNamesIt) {
  TinyStore store;
  const Digest lost = store.AddLayer(kBase);
  const Digest kept = store.AddLayer(kTop);
  store.AddImage("lost:1", {lost});
  store.AddImage("kept:1", {kept});
  const store::Placement index = store->FindLayer(lost).value()->index().parts(0);
  store.Close();
  {
    std::fstream pack(PathOf(store, index.pack()), std::ios::in | std::ios::out | std::ios::binary);
    pack.seekp(index.offset_bytes());
    pack << "!";
  }
  std::filesystem::remove_all(store.paths().db());
  const auto outcome = RebuildIndex(Fs::Real(), store.paths());
  ASSERT_TRUE(outcome.ok()) << outcome.error().message();
  EXPECT_THAT(outcome->damage, ::testing::Contains(HasSubstr("a layer is missing")));
  store.Open();
  EXPECT_FALSE(store->FindLayer(lost).value());
  EXPECT_FALSE(store->FindRef("lost:1").value());
  EXPECT_TRUE(store->FindRef("kept:1").value());
  store.ExpectReadsWhole(kept);
}

// A disk on which a commit finds no room for the index, after its journal record was appended.
class AlmostFullDisk final : public ForwardingFs {
 public:
  Result<std::uint64_t> FreeBytes(const std::string&) override {
    return left_.fetch_sub(1) == 0 ? std::uint64_t{0} : std::uint64_t{1} << 40;
  }
  void FailAt(int look) { left_ = look; }

 private:
  std::atomic<int> left_ = -1;
};

TEST(RebuildTest, DoesNotReplayAChangeThatFailedBeforeAnotherWasMade) {
  AlmostFullDisk disk;
  TinyStore store(disk);
  store.AddImage(std::string(kName), {store.AddLayer(kBase)});
  JournaledChanges removal;
  removal.Erase(Column::kRef, kName);
  disk.FailAt(1);
  ASSERT_EQ(store->CommitChanges(std::move(removal)).error().code(), Code::kResourceExhausted);
  ASSERT_TRUE(store->SlotOf(Sha256Of(AsBytes("another"))).ok());
  const auto before = store.Records();
  store.Close();
  std::filesystem::remove_all(store.paths().db());
  ASSERT_TRUE(RebuildIndex(Fs::Real(), store.paths()).ok());
  store.Open();
  EXPECT_EQ(store.Records(), before);
}

// Two streams that share a chunk which neither has committed; the parameter says whose commit is first.
class SharedChunkTest : public ::testing::TestWithParam<bool> {};

TEST_P(SharedChunkTest, IsStoredOnceAndDurableWithTheFirstCommitOfEither) {
  TinyStore store;
  const std::string content = Noise(4, 100'000);
  const Digest chunk = Sha256Of(AsBytes(content));
  const auto appender = store->OpenWriter();
  const auto finder = store->OpenWriter();
  ASSERT_TRUE(appender->Add(chunk, AsBytes(content)).ok() && appender->Flush().ok());
  ASSERT_TRUE(finder->Add(chunk, AsBytes(content)).ok() && finder->Flush().ok());
  EXPECT_EQ(finder->locators(), appender->locators());

  ChunkWriter& first = GetParam() ? *appender : *finder;
  ChunkWriter& second = GetParam() ? *finder : *appender;
  ASSERT_TRUE(store->committer().Commit(first.Finish().value()).ok());
  const auto after = store.AfterKill();
  const auto read = (*after)->ReadChunk(chunk);
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(AsText(*read), content);
  ASSERT_TRUE(store->committer().Commit(second.Finish().value()).ok());
  EXPECT_TRUE(store->ReadChunk(chunk).ok());
}

INSTANTIATE_TEST_SUITE_P(FirstCommit, SharedChunkTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "OfTheAppender" : "OfTheFinder"; });

}  // namespace
}  // namespace varve
