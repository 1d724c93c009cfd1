#include "cached/transfer/pull.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "cached/content/sha256.h"
#include "cached/oci/media_types.h"
#include "cached/transfer/catalog.h"
#include "tests/ingest/tar_support.h"
#include "tests/store/store_fixture.h"
#include "tests/transfer/fake_registry.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::string TarOf(const std::vector<Bytes>& pieces) {
  std::vector<Bytes> all = pieces;
  all.push_back(EndBlocks());
  return std::string(AsText(Join(all)));
}
std::string FileTar(std::string_view name, const std::string& content) {
  return TarOf({HeaderBlock(name).Size(content.size()).bytes(), Padded(content)});
}

class PullTest : public testing::Test {
 protected:
  Result<PullOutcome> Pull() {
    RegistryOptions options;
    options.retry.sleep = [](std::chrono::milliseconds) {};
    ImageInstaller installer(*store_, gate_, clock_, options_);
    return PullImage(
        *store_, installer, registry_, *Reference::Parse(FakeRegistry::kReference), *Platform::Parse("linux/amd64"),
        options, [](const LayerProgress&) {}, cancel_);
  }
  // `good_` and what is not here, at the tag; the digest of the index.
  Digest PublishIndex(const std::string& other_platform) {
    Index index;
    index.media_type = kOciIndexType;
    for (const std::string& architecture : {std::string("amd64"), other_platform}) {
      index.manifests.push_back(DescriptorOf(kOciManifestType, good_.manifest_digest(), good_.manifest.size()));
      index.manifests.back().platform = Platform{"linux", architecture, ""};
    }
    const std::string json = IndexJson(index);
    registry_.Publish(good_);
    registry_["manifests/1"].body = json;
    return Sha256Of(AsBytes(json));
  }
  ImageOrigin OriginOf(const std::string& image) {
    Catalog catalog(*store_, clock_);
    return catalog.OriginOf(catalog.Find(image).value()).value();
  }
  Error Refusal() {
    const auto pulled = Pull();
    EXPECT_FALSE(pulled.ok());
    EXPECT_THAT(Catalog(*store_, clock_).List().value(), IsEmpty());
    return pulled.ok() ? Error(Code::kUnknown, "") : pulled.error();
  }
  bool LayerIsHere(const FakeImage& image, std::size_t layer) {
    return store_->FindLayer(image.diff_ids[layer]).value().has_value();
  }

  TinyStore store_;
  LayerGate gate_;
  ManualClock clock_;
  InstallOptions options_;
  FakeRegistry registry_;
  CancelToken cancel_;
  const FakeImage good_ = FakeImage::Of({FileTar("one", Noise(1, 100'000)), FileTar("two", Noise(2, 100'000))});
};

TEST_F(PullTest, AnImageIsNamedAndReadsAsItWas) {
  registry_.Publish(good_);
  const auto pulled = Pull();
  ASSERT_TRUE(pulled.ok()) << pulled.error().message();
  EXPECT_EQ(pulled->manifest_digest, good_.manifest_digest());
  EXPECT_FALSE(pulled->up_to_date);
  const auto found = Catalog(*store_, clock_).Find(FakeRegistry::kReference);
  ASSERT_TRUE(found.ok()) << found.error().message();
  EXPECT_EQ(AsText(*store_->ReadParts(found->record.manifest())), good_.manifest);
  for (const Digest& diff_id : good_.diff_ids) store_.ExpectReadsWhole(diff_id);
}

TEST_F(PullTest, WhatIsHereIsNotFetchedAgain) {
  registry_.Publish(good_);
  ASSERT_TRUE(Pull().ok());
  const std::size_t before = registry_.fetched().size();
  const auto again = Pull();
  EXPECT_TRUE(again.ok() && again->up_to_date);
  EXPECT_EQ(registry_.fetched().size(), before);
}

TEST_F(PullTest, ANameRemembersTheIndexThatItsImageWasChosenFrom) {
  const Digest first = PublishIndex("arm64");
  ASSERT_TRUE(Pull().ok());
  const std::string repository = "registry.example/team/app";
  EXPECT_EQ(OriginOf(repository + ":1"), (ImageOrigin{repository, first}));
  EXPECT_EQ(OriginOf(good_.manifest_digest().hex()), (ImageOrigin{repository, first}));

  Catalog catalog(*store_, clock_);
  ASSERT_TRUE(catalog.Tag(repository + ":1", "mine").ok());
  const Digest second = PublishIndex("s390x");  // of the same image for us
  ASSERT_TRUE(Pull().ok());
  EXPECT_EQ(OriginOf(repository + ":1"), (ImageOrigin{repository, second}));
  EXPECT_EQ(OriginOf("mine"), (ImageOrigin{repository, first}));
  const auto by_id = catalog.Find(good_.manifest_digest().hex());
  EXPECT_EQ(catalog.OriginOf(*by_id).error().code(), Code::kFailedPrecondition);
}

TEST_F(PullTest, AnImageOfNoIndexComesFromItsRepositoryAlone) {
  registry_.Publish(good_);
  ASSERT_TRUE(Pull().ok());
  EXPECT_EQ(OriginOf("registry.example/team/app:1"), (ImageOrigin{"registry.example/team/app", std::nullopt}));
}

TEST_F(PullTest, AnUnknownTagIsNotFound) {
  EXPECT_THAT(Refusal().message(), AllOf(HasSubstr("registry.example/team/app:1"), HasSubstr("not found")));
}

TEST_F(PullTest, ARefusalOfTheRegistryKeepsItsCode) {
  registry_["manifests/1"].status = 403;
  EXPECT_EQ(Refusal().code(), Code::kPermissionDenied);
}

TEST_F(PullTest, AManifestThatIsNoJsonIsRefused) {
  registry_["manifests/1"].body = "<html>";
  EXPECT_THAT(Refusal().message(), HasSubstr("JSON"));
}

TEST_F(PullTest, AManifestThatIsTooLargeIsRefused) {
  registry_["manifests/1"].body.assign(kManifestBytesMax + 1, ' ');
  EXPECT_EQ(Refusal().code(), Code::kResourceExhausted);
}

TEST_F(PullTest, AConfigThatIsNotTheOneOfTheManifestIsRefusedByName) {
  registry_.Publish(good_);
  const std::string config = Sha256Of(AsBytes(good_.config)).ToString();
  registry_["blobs/" + config].body[10] ^= 1;
  EXPECT_THAT(Refusal().message(), AllOf(HasSubstr(config), HasSubstr("digest mismatch")));
}

TEST_F(PullTest, ALayerWithOneBitFlippedIsDataLossAndItsNeighbourIsKept) {
  registry_.Publish(good_);
  registry_["blobs/" + good_.blob(1)].body[50'000] ^= 1;
  const Error error = Refusal();
  EXPECT_EQ(error.code(), Code::kDataLoss);
  EXPECT_THAT(error.message(), HasSubstr("layer " + good_.blob(1)));
  EXPECT_TRUE(LayerIsHere(good_, 0));
  EXPECT_FALSE(LayerIsHere(good_, 1));

  registry_.Publish(good_);
  const std::size_t before = registry_.fetched().size();
  ASSERT_TRUE(Pull().ok());
  const std::vector<std::string> fetched = registry_.fetched();
  EXPECT_THAT(std::vector(fetched.begin() + static_cast<std::ptrdiff_t>(before), fetched.end()),
              UnorderedElementsAre(Sha256Of(AsBytes(good_.config)).ToString(), good_.blob(1)));
}

TEST_F(PullTest, ALayerThatIsShorterAtTheRegistryIsRefusedByName) {
  registry_.Publish(good_);
  registry_["blobs/" + good_.blob(0)].body.resize(70'000);
  EXPECT_THAT(Refusal().message(), HasSubstr(good_.blob(0)));
  EXPECT_FALSE(LayerIsHere(good_, 0));
}

TEST_F(PullTest, ALayerThatIsNotTheOneOfTheConfigIsDataLoss) {
  const Digest other = Sha256Of(AsBytes("another tar"));
  const FakeImage image = FakeImage::Of({FileTar("one", "1")}, {other});
  registry_.Publish(image);
  const Error error = Refusal();
  EXPECT_EQ(error.code(), Code::kDataLoss);
  EXPECT_THAT(error.message(), AllOf(HasSubstr(image.blob(0)), HasSubstr(other.ToString())));
  EXPECT_FALSE(LayerIsHere(image, 0));
}

TEST_F(PullTest, MoreOrFewerDiffIdsThanLayersAreRefused) {
  registry_.Publish(FakeImage::Of({FileTar("one", "1")}, {good_.diff_ids[0], good_.diff_ids[1]}));
  EXPECT_THAT(Refusal().message(), HasSubstr("1 layers, but its config has 2 diff IDs"));
}

TEST_F(PullTest, ALayerThatGrowsAboveTheLimitIsRefused) {
  options_.ingest.decompress.max_output_bytes = 50'000;
  registry_.Publish(good_);
  EXPECT_EQ(Refusal().code(), Code::kResourceExhausted);
  EXPECT_FALSE(LayerIsHere(good_, 0));
}

TEST_F(PullTest, APathThatLeadsOutOfTheRootIsRefusedByLayerAndPath) {
  const FakeImage image = FakeImage::Of({FileTar("etc/../../evil", "1")});
  registry_.Publish(image);
  EXPECT_THAT(Refusal().message(), AllOf(HasSubstr(image.blob(0)), HasSubstr("etc/../../evil")));
}

TEST_F(PullTest, AHardLinkToNothingLeavesNoImage) {
  registry_.Publish(FakeImage::Of({TarOf({HeaderBlock("link", '1').Set(157, "nowhere").bytes()})}));
  EXPECT_THAT(Refusal().message(), AllOf(HasSubstr("link"), HasSubstr("nowhere")));
}

TEST_F(PullTest, ACancelledPullLeavesNothing) {
  registry_.Publish(good_);
  for (const std::size_t layer : {0, 1}) {
    registry_["blobs/" + good_.blob(layer)].before_end = [&](const CancelToken& cancel) {
      cancel_.Cancel();
      return cancel.Check();
    };
  }
  EXPECT_EQ(Refusal().code(), Code::kCancelled);
  EXPECT_FALSE(LayerIsHere(good_, 0) || LayerIsHere(good_, 1));
}

TEST_F(PullTest, TwoPullsOfALayerFetchItOnce) {
  registry_.Publish(good_);
  std::latch both(2);
  const auto pull = [&] {
    both.arrive_and_wait();
    const auto pulled = Pull();
    EXPECT_TRUE(pulled.ok()) << pulled.error().message();
  };
  std::thread other(pull);
  pull();
  other.join();
  std::vector<std::string> layers = registry_.fetched();
  std::erase(layers, Sha256Of(AsBytes(good_.config)).ToString());
  EXPECT_THAT(layers, UnorderedElementsAre(good_.blob(0), good_.blob(1)));
}

TEST(LayerGateTest, WhoeverGivesUpLeavesTheQueueAndTheNextOneGetsIn) {
  LayerGate gate;
  const Digest layer = Sha256Of(AsBytes(std::string_view("layer")));
  CancelToken given_up;
  CancelToken patient;
  {
    const auto inside = gate.Enter(layer, patient);
    ASSERT_TRUE(inside.ok());
    std::thread waiting([&] { EXPECT_EQ(gate.Enter(layer, given_up).error().code(), Code::kCancelled); });
    given_up.Cancel();
    waiting.join();  // while the layer is still somebody's
    EXPECT_TRUE(gate.Enter(Digest{}, patient).ok()) << "another layer waits for nobody";
  }
  EXPECT_TRUE(gate.Enter(layer, patient).ok());
}

}  // namespace
}  // namespace varve
