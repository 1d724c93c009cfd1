#include "cached/transfer/push.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cached/content/sha256.h"
#include "cached/oci/media_types.h"
#include "cached/store/collector.h"
#include "cached/transfer/pull.h"
#include "tests/ingest/tar_support.h"
#include "tests/store/store_fixture.h"
#include "tests/transfer/memory_registry.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

std::string TarOf(std::string_view name, const std::string& content) {
  return std::string(AsText(Join({HeaderBlock(name).Size(content.size()).bytes(), Padded(content), EndBlocks()})));
}

std::string Gzip(const std::string& tar) {
  ThreadPool pool(1, 1);
  std::string out;
  LayerCompressor compressor(pool, {.format = LayerFormat::kGzip, .level = 1}, [&](ByteSpan piece) -> Status {
    out += AsText(piece);
    return Ok();
  });
  EXPECT_TRUE(compressor.Write(AsBytes(tar)).ok() && compressor.Finish().ok());
  return out;
}

// An image of two gzip layers that was pulled from a.example/team/app.
class PushTest : public testing::Test {
 protected:
  PushTest() {
    const std::vector<std::string> tars = {TarOf("low", Noise(1, 100'000)), TarOf("high", Noise(2, 100'000))};
    image_ = FakeImage::Of({Gzip(tars[0]), Gzip(tars[1])}, {Sha256Of(AsBytes(tars[0])), Sha256Of(AsBytes(tars[1]))});
    registry_.Publish("a.example/team/app", image_);
    EXPECT_EQ(Pull("a.example/team/app:1"), image_.manifest_digest());
    registry_.TakeAsked();
  }

  Digest Pull(const std::string& reference) {
    LayerGate gate;
    ImageInstaller installer(*store_, gate, clock_, {});
    const auto pulled = PullImage(
        *store_, installer, registry_, *Reference::Parse(reference), *Platform::Parse("linux/amd64"), Patient(),
        [](const LayerProgress&) {}, cancel_);
    EXPECT_TRUE(pulled.ok()) << pulled.error().message();
    return pulled.ok() ? pulled->manifest_digest : Digest();
  }
  Result<PushOutcome> Push(const std::string& destination, const std::string& compression = "gzip") {
    states_.clear();
    VARVE_ASSIGN_OR_RETURN(const FoundImage found, Catalog(*store_, clock_).Find("a.example/team/app:1"));
    PushOptions options;
    options.compression = LayerCompression::Parse(compression).value();
    PushHooks hooks;
    hooks.access = [this](const Reference&) -> Result<RegistryOptions> { return Patient(); };
    hooks.progress = [this](const LayerProgress& layer) {
      MutexLock lock(mutex_);
      states_.insert_or_assign(layer.blob.ToString(), layer.state);
    };
    return PushImage(*store_, registry_, found, *Reference::Parse(destination), options, hooks, cancel_);
  }
  PushOutcome Pushed(const std::string& destination, const std::string& compression = "gzip") {
    const auto pushed = Push(destination, compression);
    if (!pushed.ok()) ADD_FAILURE() << pushed.error().message();
    return pushed.ok() ? *pushed : PushOutcome();
  }
  static RegistryOptions Patient() {
    RegistryOptions options;
    options.retry.sleep = [](std::chrono::milliseconds) {};
    return options;
  }
  std::vector<LayerProgress::State> States() {
    MutexLock lock(mutex_);
    return {states_.at(image_.blob(0)), states_.at(image_.blob(1))};
  }
  // Every blob that `repository` has is what its name says, and manifest "1" is whole there.
  void ExpectWhole(const std::string& repository, const std::string& tag = "1") {
    const auto& [blobs, manifests] = registry_[repository];
    for (const auto& [digest, blob] : blobs) EXPECT_EQ(Sha256Of(AsBytes(blob)).ToString(), digest);
    ASSERT_TRUE(manifests.contains(tag));
    const auto manifest = ParseManifest(AsBytes(manifests.at(tag).first), manifests.at(tag).second);
    ASSERT_TRUE(manifest.ok()) << manifest.error().message();
    EXPECT_TRUE(blobs.contains(manifest->config.digest.ToString()));
    for (const Descriptor& layer : manifest->layers) {
      ASSERT_TRUE(blobs.contains(layer.digest.ToString()));
      EXPECT_EQ(blobs.at(layer.digest.ToString()).size(), layer.size_bytes);
    }
  }

  TinyStore store_;
  ManualClock clock_;
  MemoryRegistry registry_;
  CancelToken cancel_;
  FakeImage image_;
  Mutex mutex_;
  std::map<std::string, LayerProgress::State> states_ GUARDED_BY(mutex_);
};

using State = LayerProgress::State;

TEST_F(PushTest, WhatWasPulledElsewhereKeepsItsDigests) {
  const PushOutcome pushed = Pushed("b.example/x:2");
  EXPECT_EQ(pushed.manifest_digest, image_.manifest_digest());
  EXPECT_FALSE(pushed.changed);
  EXPECT_THAT(pushed.notes, IsEmpty());
  EXPECT_EQ(pushed.manifest_bytes, image_.manifest.size());
  EXPECT_EQ(registry_["b.example/x"].manifests["2"].first, image_.manifest);
  EXPECT_THAT(States(), Each(State::kDone));
  ExpectWhole("b.example/x", "2");
}

TEST_F(PushTest, PushedAgainNothingIsSent) {
  Pushed("b.example/x:1");
  registry_.TakeAsked();
  Pushed("b.example/x:1");
  EXPECT_THAT(registry_.TakeAsked(), Each(Not(AllOf(HasSubstr("blobs"), Not(StartsWith("HEAD"))))));
  EXPECT_THAT(States(), Each(State::kExists));
}

TEST_F(PushTest, AnotherRepositoryOfItsRegistryMountsTheLayers) {
  Pushed("a.example/other:1");
  EXPECT_THAT(States(), Each(State::kMounted));
  std::vector<std::string> asked = registry_.TakeAsked();
  EXPECT_EQ(std::ranges::count_if(asked, [](const auto& line) { return line.starts_with("PATCH"); }), 1) << "config";
  ExpectWhole("a.example/other");
}

TEST_F(PushTest, AMountThatIsRefusedIsAnUpload) {
  registry_["a.example/team/app"].blobs.erase(image_.blob(0));
  registry_.Publish("a.example/elsewhere", image_);
  const PushOutcome pushed = Pushed("a.example/other:1");
  EXPECT_TRUE(pushed.changed) << "its source has the blob no more";
  EXPECT_THAT(States(), ElementsAre(State::kDone, State::kMounted));
  ExpectWhole("a.example/other");
}

TEST_F(PushTest, WithoutItsSourceALayerIsCompressedOnceAndThatIsSaid) {
  registry_.Refuse("GET a.example", 0);
  const PushOutcome first = Pushed("b.example/x:1");
  EXPECT_TRUE(first.changed);
  EXPECT_NE(first.manifest_digest, image_.manifest_digest());
  EXPECT_THAT(first.notes, ElementsAre(AllOf(StartsWith("2 layers: compressed anew: "), HasSubstr("no route"),
                                             HasSubstr("cannot be fetched from a.example/team/app"))));
  ExpectWhole("b.example/x");

  registry_.TakeAsked();
  const PushOutcome again = Pushed("b.example/x:1");
  EXPECT_EQ(again.manifest_digest, first.manifest_digest);
  EXPECT_THAT(registry_.TakeAsked(), Each(Not(StartsWith("PATCH"))));
  EXPECT_THAT(States(), Each(State::kExists));
  Pushed("b.example/y:1");
  EXPECT_THAT(States(), Each(State::kMounted)) << "what was compressed is known by where it went";

  registry_.AllowAll();
  EXPECT_EQ(Pull("b.example/x:1"), first.manifest_digest);
  EXPECT_FALSE(Pushed("c.example/z:1").changed) << "the source is back";
}

TEST_F(PushTest, ASourceThatHasSpoiltTheBlobIsNotPassedOn) {
  registry_["a.example/team/app"].blobs[image_.blob(0)][50'000] ^= 1;
  const PushOutcome pushed = Pushed("b.example/x:1");
  EXPECT_THAT(pushed.notes, ElementsAre(AllOf(HasSubstr(image_.blob(0)), HasSubstr("mismatch"))));
  EXPECT_FALSE(registry_["b.example/x"].blobs.contains(image_.blob(0)));
  EXPECT_TRUE(registry_["b.example/x"].blobs.contains(image_.blob(1)));
  ExpectWhole("b.example/x");
}

TEST_F(PushTest, AShortSourceIsNotPassedOn) {
  registry_["a.example/team/app"].blobs[image_.blob(1)].resize(5'000);
  EXPECT_THAT(Pushed("b.example/x:1").notes, ElementsAre(HasSubstr(image_.blob(1))));
  ExpectWhole("b.example/x");
}

TEST_F(PushTest, ZstdIsOciAndPullsBackAsTheSameLayers) {
  registry_.Refuse("GET a.example", 0);
  const PushOutcome pushed = Pushed("b.example/x:1", "zstd:5");
  EXPECT_THAT(registry_["b.example/x"].manifests["1"].first, HasSubstr(std::string(kOciLayerZstdType)));
  for (const Digest& diff_id : image_.diff_ids) store_.ExpectReadsWhole(diff_id);
  TinyStore other;
  LayerGate gate;
  ImageInstaller installer(*other, gate, clock_, {});
  const auto pulled = PullImage(
      *other, installer, registry_, *Reference::Parse("b.example/x:1"), *Platform::Parse("linux/amd64"), Patient(),
      [](const LayerProgress&) {}, cancel_);
  ASSERT_TRUE(pulled.ok()) << pulled.error().message();
  EXPECT_EQ(pulled->manifest_digest, pushed.manifest_digest);
  for (const Digest& diff_id : image_.diff_ids) other.ExpectReadsWhole(diff_id);
}

TEST_F(PushTest, AnUncompressedLayerIsSentFromHere) {
  const std::string tar = TarOf("plain", Noise(3, 50'000));
  image_ = FakeImage::Of({tar, tar});
  registry_.Publish("a.example/team/app", image_);
  Pull("a.example/team/app:1");
  registry_.Refuse("GET a.example", 0);
  EXPECT_FALSE(Pushed("b.example/x:1").changed);
  EXPECT_EQ(registry_["b.example/x"].blobs[image_.blob(0)], tar);
}

TEST_F(PushTest, ABrokenUploadGoesOn) {
  registry_.BreakUploads(4);
  EXPECT_FALSE(Pushed("b.example/x:1").changed);
  ExpectWhole("b.example/x");
}

TEST_F(PushTest, ARefusalLeavesNoManifestAndKeepsItsCode) {
  for (const auto& [status, code] : {std::pair(401, Code::kUnauthenticated), std::pair(403, Code::kPermissionDenied),
                                     std::pair(405, Code::kUnknown), std::pair(500, Code::kUnavailable)}) {
    registry_.AllowAll();
    registry_.Refuse("POST b.example", status);
    const auto pushed = Push("b.example/x:1");
    ASSERT_FALSE(pushed.ok()) << status;
    EXPECT_EQ(pushed.error().code(), code) << pushed.error().message();
    EXPECT_THAT(pushed.error().message(), AllOf(StartsWith("layer sha256:"), HasSubstr("b.example")));
    EXPECT_THAT(registry_["b.example/x"].manifests, IsEmpty());
  }
}

TEST_F(PushTest, AManifestThatIsRefusedIsAnError) {
  registry_.Refuse("PUT b.example/x/manifests", 400);
  EXPECT_THAT(Push("b.example/x:1").error().message(), StartsWith("manifest b.example/x:1: "));
}

TEST_F(PushTest, AnotherManifestDoesNotGoUnderTheDigestOfThisOne) {
  const std::string by_digest = "b.example/x@" + image_.manifest_digest().ToString();
  Pushed(by_digest);
  EXPECT_TRUE(registry_["b.example/x"].manifests.contains(image_.manifest_digest().ToString()));
  registry_.Refuse("GET a.example", 0);
  EXPECT_EQ(Push("c.example/x@" + image_.manifest_digest().ToString()).error().code(), Code::kFailedPrecondition);
}

TEST_F(PushTest, AnImageThatIsRemovedAndCollectedMeanwhileArrivesWhole) {
  registry_.Refuse("GET a.example", 0);
  bool collected = false;
  registry_.AtFirstUpload([&] {
    EXPECT_TRUE(Catalog(*store_, clock_).Remove("a.example/team/app:1", Catalog::Force::kNo).ok());
    CollectOptions every_pack;
    every_pack.close_packs = [](std::span<const PackId>) {};
    every_pack.dead_fraction_min = 0;
    collected = Collect(*store_, every_pack).ok();
  });
  Pushed("b.example/x:1");
  EXPECT_TRUE(collected);
  ExpectWhole("b.example/x");
  EXPECT_THAT(image_.diff_ids, SizeIs(2));
}

TEST_F(PushTest, ACancelledPushLeavesNoManifest) {
  registry_.AtFirstUpload([this] { cancel_.Cancel(); });
  EXPECT_EQ(Push("b.example/x:1").error().code(), Code::kCancelled);
  EXPECT_THAT(registry_["b.example/x"].manifests, IsEmpty());
}

}  // namespace
}  // namespace varve
