#include "cached/store/unneeded_originals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "cached/store/rebuild.h"
#include "tests/store/pushed_store.h"
#include "tests/support/forwarding_fs.h"

namespace varve {
namespace {

using ::testing::IsEmpty;
using Asker = Repositories::Asker;
using std::chrono::minutes;

// Calls back, once: before files of blobs are listed, which is after a collection has judged links; and before the file
// of one is removed, which is after it was condemned.
class WatchedDisk final : public ForwardingFs {
 public:
  Result<std::vector<std::string>> List(const std::string& directory) override {
    if (directory.ends_with("/blobs/sha256")) std::exchange(before_list, [] {})();
    return ForwardingFs::List(directory);
  }
  Status Remove(const std::string& path) override {
    if (path.find("/blobs/sha256/") != std::string::npos) std::exchange(before_remove, [] {})();
    return ForwardingFs::Remove(path);
  }
  std::function<void()> before_list = [] {};
  std::function<void()> before_remove = [] {};
};

class UnneededOriginalsTest : public ::testing::Test {
 protected:
  Repositories& repositories() { return pusher_.repositories(); }
  CollectOutcome Collect(CollectOptions::Originals originals = CollectOptions::Originals::kKeep) {
    CollectOptions options;
    options.close_packs = [](std::span<const PackId>) {};
    options.now = clock_.Now();
    options.originals = originals;
    options.dead_fraction_min = 0;
    const auto outcome = varve::Collect(*store_, options);
    EXPECT_TRUE(outcome.ok()) << outcome.error().message();
    return outcome.value();
  }
  // A layer that is here as chunks; its blob, not compressed, is in no repository yet.
  std::string AddLayer(const TinyStore::Files& files) {
    layer_ = store_.AddLayer(files);
    return TarOf(files);
  }
  bool HasFile(const Digest& blob) { return std::filesystem::exists(store_.paths().blobs() + "/" + blob.hex()); }

  WatchedDisk disk_;
  ManualClock clock_;
  TinyStore store_{disk_};
  Pusher pusher_{*store_, clock_};
  Digest layer_;
};

TEST_F(UnneededOriginalsTest, WhatAManifestNamesStaysAndGoesWithTheNextPruneAfterItsDeletion) {
  const Digest blob = pusher_.PushBlob("test/x", "config");
  const Digest manifest = pusher_.PushManifest("test/x", "manifest", {blob}, {"1"});
  clock_.Advance(minutes(600));
  EXPECT_EQ(Collect().originals_erased, 0u);
  EXPECT_EQ(pusher_.Read(blob), "config");
  EXPECT_EQ(pusher_.Read(manifest), "manifest");
  ASSERT_TRUE(repositories().DeleteManifest("test/x", manifest).ok());
  EXPECT_EQ(Collect().originals_erased, 2u);
  EXPECT_FALSE(pusher_.HasBlob("test/x", blob));
  EXPECT_FALSE(HasFile(blob));
  EXPECT_FALSE(HasFile(manifest));
  EXPECT_FALSE(repositories().Exists("test/x").value());
}

TEST_F(UnneededOriginalsTest, AManifestWithoutATagStays) {
  const Digest manifest = pusher_.PushManifest("test/x", "manifest", {});
  Collect();
  EXPECT_EQ(pusher_.Read(manifest), "manifest");
}

TEST_F(UnneededOriginalsTest, WhatNoManifestHasNamedYetStaysForTheGrace) {
  const Digest blob = pusher_.PushBlob("test/x", "config");
  clock_.Advance(minutes(59));
  Collect();
  EXPECT_TRUE(pusher_.HasBlob("test/x", blob));
  clock_.Advance(minutes(2));
  Collect();
  EXPECT_FALSE(pusher_.HasBlob("test/x", blob));
  EXPECT_FALSE(HasFile(blob));
}

TEST_F(UnneededOriginalsTest, WhatAPusherWasToldOfStaysForTheGraceOrUntilItsManifestHasCome) {
  const Digest blob = pusher_.PushBlob("test/x", "config");
  const Digest first = pusher_.PushManifest("test/x", "first", {blob});
  ASSERT_TRUE(pusher_.HasBlob("test/x", blob, Asker::kPusher));
  ASSERT_TRUE(repositories().DeleteManifest("test/x", first).ok());
  Collect();
  ASSERT_TRUE(pusher_.HasBlob("test/x", blob));
  const Digest second = pusher_.PushManifest("test/x", "second", {blob});
  ASSERT_TRUE(repositories().DeleteManifest("test/x", second).ok());
  Collect();
  EXPECT_FALSE(pusher_.HasBlob("test/x", blob));
}

TEST_F(UnneededOriginalsTest, WhatAPusherWasToldOfLongAgoGoes) {
  const Digest blob = pusher_.PushBlob("test/x", "config");
  ASSERT_TRUE(pusher_.HasBlob("test/x", blob, Asker::kPusher));
  clock_.Advance(minutes(61));
  Collect();
  EXPECT_FALSE(pusher_.HasBlob("test/x", blob));
}

TEST_F(UnneededOriginalsTest, ALinkGoesWithoutWhatAnotherRepositoryNeeds) {
  const Digest blob = pusher_.PushBlob("test/x", "config");
  ASSERT_TRUE(repositories().MountBlob("test/x", "test/y", blob).value());
  pusher_.PushManifest("test/y", "manifest", {blob});
  clock_.Advance(minutes(61));
  Collect();
  EXPECT_FALSE(pusher_.HasBlob("test/x", blob));
  EXPECT_TRUE(pusher_.HasBlob("test/y", blob));
  EXPECT_EQ(pusher_.Read(blob), "config");
}

TEST_F(UnneededOriginalsTest, ABlobThatIsUnlinkedGoesAndAnOpenFileStaysReadable) {
  const Digest blob = pusher_.PushBlob("test/x", "config");
  const auto file = store_->blob_files().Open(blob).value();
  ASSERT_TRUE(repositories().UnlinkBlob("test/x", blob).ok());
  Collect();
  EXPECT_EQ(store_->blob_files().Open(blob).error().code(), Code::kNotFound);
  EXPECT_EQ(file->Size().value(), 6u);
}

TEST_F(UnneededOriginalsTest, AFileThatAFailedPushLeftGoes) {
  ASSERT_TRUE(store_->blob_files().Write(DigestOfText("left"), AsBytes("left")).ok());
  Collect();
  EXPECT_FALSE(HasFile(DigestOfText("left")));
}

TEST_F(UnneededOriginalsTest, ALayerThatAManifestNamesStaysWithItsChunks) {
  const Digest named = pusher_.PushBlob("test/x", AddLayer({{"file", Noise(1, 100'000)}}));
  const Digest layer = layer_;
  AddLayer({{"file", Noise(2, 100'000)}});
  const Digest manifest = pusher_.PushManifest("test/x", "manifest", {named});
  Collect();
  store_.ExpectReadsWhole(layer);
  EXPECT_FALSE(store_->FindLayer(layer_).value());
  ASSERT_TRUE(repositories().DeleteManifest("test/x", manifest).ok());
  Collect();
  EXPECT_FALSE(store_->FindLayer(layer).value());
  EXPECT_FALSE(store_->FindBlob(named).value());
}

TEST_F(UnneededOriginalsTest, LayersThatCanBeFetchedAgainGoIfAskedAndTheirChunksStay) {
  const std::string tar = AddLayer({{"file", Noise(1, 100'000)}});
  const Digest layer = pusher_.PushBlob("mirror/x", tar, "docker.io/library/x");
  const Digest config = pusher_.PushBlob("mirror/x", "config", "docker.io/library/x");
  pusher_.PushManifest("mirror/x", "manifest", {config, layer});
  EXPECT_EQ(Collect(CollectOptions::Originals::kDropFetchable).originals_erased, 1u);
  EXPECT_FALSE(pusher_.HasBlob("mirror/x", layer));
  EXPECT_FALSE(HasFile(layer));
  EXPECT_TRUE(pusher_.HasBlob("mirror/x", config));
  store_.ExpectReadsWhole(layer_);
}

TEST_F(UnneededOriginalsTest, WhatCanBeFetchedAgainStaysIfItIsNotChunkedOrWasPushedElsewhere) {
  const std::string tar = AddLayer({{"file", Noise(1, 100'000)}});
  const Digest layer = pusher_.PushBlob("mirror/x", tar, "docker.io/library/x");
  const Digest other = pusher_.PushBlob("mirror/x", "a layer that is not chunked", "docker.io/library/x");
  pusher_.PushManifest("mirror/x", "manifest", {layer, other});
  ASSERT_TRUE(repositories().MountBlob("mirror/x", "test/x", layer).value());
  pusher_.PushManifest("test/x", "manifest", {layer});
  EXPECT_EQ(Collect(CollectOptions::Originals::kDropFetchable).originals_erased, 0u);
  EXPECT_TRUE(pusher_.HasBlob("mirror/x", layer));
  EXPECT_TRUE(pusher_.HasBlob("mirror/x", other));
}

TEST_F(UnneededOriginalsTest, ARebuildDoesNotBringBackWhatWasErased) {
  const Digest blob = pusher_.PushBlob("test/x", "config");
  ASSERT_TRUE(repositories().MountBlob("test/x", "test/y", blob).value());
  pusher_.PushManifest("test/y", "manifest", {blob});
  clock_.Advance(minutes(61));
  Collect();
  const auto before = store_.Records();
  store_.Close();
  std::filesystem::remove_all(store_.paths().db());
  const auto outcome = RebuildIndex(Fs::Real(), store_.paths());
  ASSERT_TRUE(outcome.ok());
  EXPECT_THAT(outcome->damage, IsEmpty());
  store_.Open();
  EXPECT_EQ(store_.Records(), before);
}

// What a pusher may do with a blob that a collection has judged to be unneeded.
class PushBesideTest : public UnneededOriginalsTest, public ::testing::WithParamInterface<int> {
 protected:
  PushBesideTest() {
    blob_ = pusher_.PushBlob("test/x", "config");
    clock_.Advance(minutes(61));
  }
  // True if the pusher was told that it may rely on the blob.
  bool Act() {
    switch (GetParam()) {
      case 0:
        return pusher_.TryPushBlob("test/x", "config").ok();
      case 1:
        return repositories().MountBlob("test/x", "test/y", blob_).value();
      case 2:
        return pusher_.HasBlob("test/x", blob_, Asker::kPusher);
      default:
        return pusher_.TryPushManifest("test/x", "manifest", {blob_}).ok();
    }
  }
  void ExpectBlobIsThere() {
    EXPECT_TRUE(pusher_.HasBlob(GetParam() == 1 ? "test/y" : "test/x", blob_));
    EXPECT_EQ(pusher_.Read(blob_), "config");
  }

  Digest blob_;
};
constexpr const char* kActs[] = {"Push", "Mount", "Ask", "Name"};
INSTANTIATE_TEST_SUITE_P(Act, PushBesideTest, ::testing::Range(0, 4),
                         [](const auto& test) { return kActs[test.param]; });

TEST_P(PushBesideTest, WhatIsTouchedAfterItWasJudgedStays) {
  bool relied = false;
  disk_.before_list = [&] { relied = Act(); };
  Collect();
  EXPECT_TRUE(relied);
  ExpectBlobIsThere();
}

TEST_P(PushBesideTest, WhoComesOnceItIsCondemnedWaitsAndFindsNothingOrBringsItAnew) {
  std::thread beside;
  bool relied = false;
  disk_.before_remove = [&] { beside = std::thread([&] { relied = Act(); }); };
  Collect();
  beside.join();
  EXPECT_EQ(relied, GetParam() == 0);
  if (relied) ExpectBlobIsThere();
  EXPECT_EQ(pusher_.HasBlob("test/x", blob_), relied);
}

// Each thread has a repository of its own and shares all blobs with the other.
TEST_F(UnneededOriginalsTest, WhatIsPushedBesidePrunesIsThereUntilItIsDeleted) {
  std::atomic<int> pushing = 2;
  const auto push = [&](const std::string& repository) {
    Pusher pusher(*store_, clock_);
    for (int round = 0; round < 30; ++round) {
      std::vector<Digest> blobs;
      for (const std::string& content : {std::string("shared"), "of round " + std::to_string(round % 3)}) {
        blobs.push_back(DigestOfText(content));
        if (!pusher.HasBlob(repository, blobs.back(), Asker::kPusher)) pusher.PushBlob(repository, content);
      }
      const Digest manifest = pusher.PushManifest(repository, "manifest " + std::to_string(round), blobs, {"1"});
      EXPECT_EQ(pusher.Read(blobs[0]), "shared");
      EXPECT_EQ(pusher.Read(blobs[1]), "of round " + std::to_string(round % 3));
      EXPECT_EQ(pusher.Read(manifest), "manifest " + std::to_string(round));
      EXPECT_TRUE(pusher.repositories().DeleteManifest(repository, manifest).ok());
    }
    --pushing;
  };
  std::thread one(push, "test/one");
  std::thread two(push, "test/two");
  while (pushing > 0) Collect();
  one.join();
  two.join();
  Collect();
  EXPECT_THAT(store_->blob_files().List().value(), IsEmpty());
}

}  // namespace
}  // namespace varve
