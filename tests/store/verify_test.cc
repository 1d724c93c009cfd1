#include "cached/store/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/store/pushed_store.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class VerifyTest : public ::testing::Test {
 protected:
  VerifyTest() {
    layer_ = store_.AddLayer({{"file", Noise(1, 100'000)}});
    store_.AddImage("tiny:1", {layer_});
  }

  std::vector<Damage> Verify() {
    auto damage = VerifyStore(*store_, [](const VerifyProgress&) { return Ok(); });
    EXPECT_TRUE(damage.ok());
    return std::move(damage).value();
  }
  void Flip(std::uint32_t pack, std::uint64_t offset) {
    const auto file = Fs::Real().Open(store_.paths().packs() + "/" + PackId{pack}.FileName(), OpenMode::kReadWrite);
    std::array<std::byte, 1> byte;
    ASSERT_TRUE(file.ok() && (*file)->ReadAt(offset, byte).ok());
    byte[0] ^= std::byte{1};
    ASSERT_TRUE((*file)->WriteAt(offset, byte).ok());
  }

  TinyStore store_;
  Digest layer_;
};

TEST_F(VerifyTest, FindsNothingInASoundStore) { EXPECT_THAT(Verify(), IsEmpty()); }

TEST_F(VerifyTest, OneFlippedByteIsFoundWithThePackTheChunkAndItsImage) {
  const Digest chunk = store_.ChunksOf(layer_).front();
  const store::Placement placement = store_.PlacementOf(chunk);
  for (const std::uint32_t at : {5u, 20u, 60u, 64u, 5000u}) {  // in the frame's header, and in its payload
    Flip(placement.pack(), placement.offset_bytes() + at);
    const std::vector<Damage> damage = Verify();
    ASSERT_EQ(damage.size(), 1u) << at;
    EXPECT_EQ(damage[0].pack.number, placement.pack());
    EXPECT_EQ(damage[0].offset_bytes, placement.offset_bytes());
    EXPECT_THAT(damage[0].chunks, ElementsAre(chunk));
    EXPECT_THAT(damage[0].belongs_to, ElementsAre("layer " + layer_.ToString() + " (tiny:1)"));
    EXPECT_EQ(store_->ReadChunk(chunk).error().code(), Code::kDataLoss);
    Flip(placement.pack(), placement.offset_bytes() + at);
  }
}

TEST_F(VerifyTest, APaddingByteIsDamageThatLosesNothing) {
  const store::Layer layer = store_->FindLayer(layer_).value().value();
  const std::uint64_t end = layer.recipe().parts(0).offset_bytes() + layer.recipe().parts(0).frame_bytes();
  Flip(layer.recipe().parts(0).pack(), end - 1);
  const std::vector<Damage> damage = Verify();
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_THAT(damage[0].reason, HasSubstr("not zeros"));
  EXPECT_THAT(damage[0].chunks, IsEmpty());
  EXPECT_THAT(damage[0].ToString(), HasSubstr("not zeros; the frame itself is sound"));
}

TEST_F(VerifyTest, DamageInARecordNamesWhatItBelongsTo) {
  const store::Placement recipe = store_->FindLayer(layer_).value()->recipe().parts(0);
  Flip(recipe.pack(), recipe.offset_bytes() + 70);
  const std::vector<Damage> damage = Verify();
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_THAT(damage[0].belongs_to, ElementsAre("tar recipe of layer " + layer_.ToString()));
  EXPECT_THAT(damage[0].ToString(), HasSubstr("pack 000001 at " + std::to_string(recipe.offset_bytes())));
}

TEST_F(VerifyTest, AChunkThatTheIndexLostIsNamedWithItsLayer) {
  const Digest chunk = store_.ChunksOf(layer_).front();
  Database::Batch batch;
  batch.Erase(Column::kChunk, KeyOf(chunk));
  ASSERT_TRUE(store_->CommitLocal(std::move(batch)).ok());
  const std::vector<Damage> damage = Verify();
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_THAT(damage[0].chunks, ElementsAre(chunk));
  EXPECT_THAT(damage[0].layers, ElementsAre(layer_));
}

// The trap of a repair: a look-up that counts a damaged chunk as present.
TEST_F(VerifyTest, StreamsThatTakeADamagedChunkInAgainWriteItAnewOnceAndReplaceItsPlacement) {
  const std::string content(100'000, 'x');
  store_.AddLayer({{"x", content}});
  const Digest chunk = store_.ChunksOf(store_.AddLayer({{"y", content}})).front();
  const store::Placement old = store_.PlacementOf(chunk);
  const Bytes raw = store_->ReadChunk(chunk).value();
  Flip(old.pack(), old.offset_bytes() + 70);
  ASSERT_EQ(Verify().size(), 1u);
  const auto first = store_->OpenWriter();
  const auto second = store_->OpenWriter();
  ASSERT_TRUE(first->Add(chunk, raw).ok() && first->Flush().ok());
  ASSERT_TRUE(second->Add(chunk, raw).ok() && second->Flush().ok());
  EXPECT_EQ(first->locators(), second->locators());
  EXPECT_EQ(store_.PlacementOf(chunk).offset_bytes(), old.offset_bytes()) << "not taken away before it is replaced";
  const auto killed = store_.AfterKill();
  EXPECT_EQ(killed->PlacementOf(chunk).offset_bytes(), old.offset_bytes());
  ASSERT_TRUE(store_->committer().Commit(second->Finish().value()).ok());
  ASSERT_TRUE(store_->committer().Commit(first->Finish().value()).ok());
  EXPECT_EQ(store_->ReadChunk(chunk).value(), raw);
  EXPECT_EQ((*store_.AfterKill())->ReadChunk(chunk).value(), raw);
}

// A blob of a repository whose file is damaged in one way or another.
class VerifyOriginalTest : public VerifyTest {
 protected:
  VerifyOriginalTest() { blob_ = pusher_.PushBlob("test/x", "content"); }
  std::string Path() { return store_.paths().blobs() + "/" + blob_.hex(); }
  void ExpectDamage(const std::string& reason) {
    const std::vector<Damage> damage = Verify();
    ASSERT_EQ(damage.size(), 1u);
    EXPECT_EQ(damage[0].ToString(), Path() + ": " + reason + "; part of blob " + blob_.ToString());
  }

  ManualClock clock_;
  Pusher pusher_{*store_, clock_};
  Digest blob_;
};

TEST_F(VerifyOriginalTest, ASoundFileIsRead) {
  constexpr std::uint64_t kSize = 3 << 20;
  pusher_.PushBlob("test/x", Noise(3, kSize));
  VerifyProgress last;
  ASSERT_TRUE(VerifyStore(*store_, [&](const VerifyProgress& progress) { return last = progress, Ok(); })->empty());
  EXPECT_GE(last.total_bytes, kSize);
  EXPECT_GE(last.done_bytes, kSize);
}

TEST_F(VerifyOriginalTest, AFlippedByteIsNamed) {
  ASSERT_TRUE((*Fs::Real().Open(Path(), OpenMode::kReadWrite))->WriteAt(2, AsBytes("N")).ok());
  ExpectDamage("has another digest");
}

TEST_F(VerifyOriginalTest, AFileThatIsShorterIsNamed) {
  std::filesystem::resize_file(Path(), 3);
  ExpectDamage("has 3 bytes, not 7");
}

TEST_F(VerifyOriginalTest, OneThatIsMissingIsNamed) {
  std::filesystem::remove(Path());
  ExpectDamage("is missing");
}

TEST_F(VerifyOriginalTest, ADamagedBlobIsNotFoundUntilItIsPushedAgain) {
  ASSERT_TRUE((*Fs::Real().Open(Path(), OpenMode::kReadWrite))->WriteAt(2, AsBytes("N")).ok());
  EXPECT_EQ(pusher_.Read(blob_), "coNtent");
  ASSERT_EQ(Verify().size(), 1u);
  EXPECT_FALSE(pusher_.HasBlob("test/x", blob_));
  EXPECT_FALSE(pusher_.repositories().MountBlob("test/x", "test/y", blob_).value());
  pusher_.PushManifest("test/x", "manifest", {blob_});  // names it, and does not heal it
  EXPECT_FALSE(pusher_.HasBlob("test/x", blob_));
  pusher_.PushBlob("test/x", "content");
  EXPECT_TRUE(pusher_.HasBlob("test/x", blob_));
  EXPECT_EQ(pusher_.Read(blob_), "content");
  EXPECT_THAT(Verify(), IsEmpty());
}

TEST_F(VerifyOriginalTest, ADamagedManifestIsNotFoundUntilItIsPushedAgain) {
  const Digest manifest = pusher_.PushManifest("test/x", "manifest", {blob_}, {"1"});
  ASSERT_TRUE((*Fs::Real().Open(store_.paths().blobs() + "/" + manifest.hex(), OpenMode::kReadWrite))
                  ->WriteAt(0, AsBytes("M"))
                  .ok());
  ASSERT_EQ(Verify().size(), 1u);
  EXPECT_FALSE(pusher_.repositories().FindManifest("test/x", manifest).value());
  pusher_.PushManifest("test/x", "manifest", {blob_});
  EXPECT_TRUE(pusher_.repositories().FindManifest("test/x", manifest).value());
  EXPECT_EQ(pusher_.Read(manifest), "manifest");
}

}  // namespace
}  // namespace varve
