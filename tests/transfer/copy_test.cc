#include "cached/transfer/copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cached/content/sha256.h"
#include "cached/oci/media_types.h"
#include "cached/transfer/registry_fetcher.h"
#include "tests/store/store_fixture.h"
#include "tests/transfer/memory_registry.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

// An index of two images, which share a layer, at a.example/team/app:all; the first is a.example/team/app:1 too.
class CopyTest : public testing::Test {
 protected:
  CopyTest() {
    const std::string base = Noise(1, 60'000);
    Index index;
    index.media_type = kOciIndexType;
    for (const unsigned seed : {2u, 3u}) {
      images_.push_back(FakeImage::Of({base, Noise(seed, 60'000)}));
      registry_.Publish(kSource, images_.back());
      Descriptor entry =
          DescriptorOf(kOciManifestType, images_.back().manifest_digest(), images_.back().manifest.size());
      entry.platform = Platform{"linux", seed == 2u ? "arm64" : "s390x", ""};
      index.manifests.push_back(entry);
    }
    index_ = IndexJson(index);
    registry_[kSource].manifests["all"] = {index_, std::string(kOciIndexType)};
    options_.retry.sleep = [](std::chrono::milliseconds) {};
  }

  Result<PushOutcome> Copy(const std::string& from, const std::string& to, const CopyOptions& options = {},
                           const std::optional<Platform>& platform = std::nullopt) {
    const Reference source = *Reference::Parse(from);
    VARVE_ASSIGN_OR_RETURN(const auto client, RegistryClient::Create(registry_, source, options_, cancel_));
    VARVE_ASSIGN_OR_RETURN(const ImageTree tree, FetchImageTree(*client, source, platform, cancel_));
    RegistryFetcher fetcher(*client);
    PushHooks hooks;
    hooks.access = [this](const Reference&) -> Result<RegistryOptions> { return options_; };
    hooks.progress = [](const LayerProgress&) {};
    registry_.TakeAsked();
    return CopyImage(registry_, {tree, fetcher, source}, *Reference::Parse(to), options, hooks, cancel_);
  }
  PushOutcome Copied(const std::string& from, const std::string& to, const CopyOptions& options = {}) {
    const auto copied = Copy(from, to, options);
    if (!copied.ok()) ADD_FAILURE() << copied.error().message();
    return copied.ok() ? *copied : PushOutcome();
  }
  void ExpectSound(const std::string& repository) {
    for (const auto& [digest, blob] : registry_[repository].blobs)
      EXPECT_EQ(Sha256Of(AsBytes(blob)).ToString(), digest);
  }

  const std::string kSource = "a.example/team/app";
  MemoryRegistry registry_;
  CancelToken cancel_;
  RegistryOptions options_;
  std::vector<FakeImage> images_;
  std::string index_;
};

TEST_F(CopyTest, AnIndexArrivesByteForByteWithAllThatItNames) {
  const PushOutcome copied = Copied("a.example/team/app:all", "b.example/x:2");
  EXPECT_EQ(copied.manifest_digest, Sha256Of(AsBytes(index_)));
  EXPECT_FALSE(copied.changed);
  auto& [blobs, manifests] = registry_["b.example/x"];
  EXPECT_EQ(manifests["2"], std::pair(index_, std::string(kOciIndexType)));
  for (const FakeImage& image : images_) {
    EXPECT_EQ(manifests[image.manifest_digest().ToString()].first, image.manifest);
    EXPECT_EQ(blobs[Sha256Of(AsBytes(image.config)).ToString()], image.config);
    for (const std::string& layer : image.layers) EXPECT_EQ(blobs[Sha256Of(AsBytes(layer)).ToString()], layer);
  }
}

TEST_F(CopyTest, ForOnePlatformItIsThatImageAlone) {
  const auto copied = Copy("a.example/team/app:all", "b.example/x:2", {}, Platform{"linux", "s390x", ""});
  ASSERT_TRUE(copied.ok()) << copied.error().message();
  EXPECT_EQ(registry_["b.example/x"].manifests["2"].first, images_[1].manifest);
  EXPECT_EQ(registry_["b.example/x"].blobs.size(), 3u);
}

TEST_F(CopyTest, WithinARegistryBlobsAreMountedAndNothingIsSent) {
  Copied("a.example/team/app:all", "a.example/other:1");
  EXPECT_THAT(registry_.TakeAsked(),
              Each(AllOf(Not(StartsWith("PATCH")), Not(StartsWith("GET a.example/team/app/blobs")))));
  EXPECT_EQ(registry_["a.example/other"].blobs, registry_[kSource].blobs);
}

TEST_F(CopyTest, CopiedAgainOnlyManifestsAreSent) {
  Copied("a.example/team/app:all", "b.example/x:1");
  Copied("a.example/team/app:all", "b.example/x:1");
  EXPECT_THAT(registry_.TakeAsked(), Each(Not(AllOf(HasSubstr("blobs"), Not(StartsWith("HEAD"))))));
}

TEST_F(CopyTest, ABrokenUploadGoesOn) {
  registry_.BreakUploads(3);
  Copied("a.example/team/app:all", "b.example/x:1");
  ExpectSound("b.example/x");
}

TEST_F(CopyTest, ASourceThatHasSpoiltABlobIsAnErrorAndLeavesNoManifest) {
  registry_[kSource].blobs[images_[0].blob(1)][30'000] ^= 1;
  const auto copied = Copy("a.example/team/app:all", "b.example/x:1");
  EXPECT_EQ(copied.error().code(), Code::kDataLoss);
  EXPECT_THAT(copied.error().message(), HasSubstr(images_[0].blob(1)));
  EXPECT_THAT(registry_["b.example/x"].manifests, IsEmpty());
  ExpectSound("b.example/x");
}

TEST_F(CopyTest, PlainLayersAreCompressedWhereThatIsAskedFor) {
  const CopyOptions zstd{.compression = LayerCompression{LayerFormat::kZstd, 1}};
  const PushOutcome copied = Copied(kSource + "@" + images_[0].manifest_digest().ToString(), "b.example/x:1", zstd);
  EXPECT_TRUE(copied.changed);
  const auto& [bytes, type] = registry_["b.example/x"].manifests["1"];
  EXPECT_EQ(Sha256Of(AsBytes(bytes)), copied.manifest_digest);
  const Manifest manifest = *ParseManifest(AsBytes(bytes), type);
  ASSERT_EQ(manifest.layers.size(), 2u);
  for (const Descriptor& layer : manifest.layers) {
    EXPECT_EQ(layer.media_type, kOciLayerZstdType);
    EXPECT_TRUE(registry_["b.example/x"].blobs.contains(layer.digest.ToString()));
  }
  EXPECT_EQ(Copy("a.example/team/app:all", "b.example/x:1", zstd).error().code(), Code::kInvalidArgument);
}

TEST_F(CopyTest, ASpoiltLayerIsNotCompressedEither) {
  registry_[kSource].blobs[images_[0].blob(0)][30'000] ^= 1;
  const auto copied = Copy(kSource + "@" + images_[0].manifest_digest().ToString(), "b.example/x:1",
                           {.compression = LayerCompression{}});
  EXPECT_EQ(copied.error().code(), Code::kDataLoss);
  EXPECT_THAT(registry_["b.example/x"].manifests, IsEmpty());
}

TEST_F(CopyTest, ADigestThatIsNotTheImagesIsRefusedBeforeAnythingIsSent) {
  const auto copied = Copy("a.example/team/app:all", "b.example/x@" + images_[0].manifest_digest().ToString());
  EXPECT_EQ(copied.error().code(), Code::kFailedPrecondition);
  EXPECT_THAT(registry_.TakeAsked(), IsEmpty());
  EXPECT_FALSE(Copied("a.example/team/app:all", "b.example/x@" + Sha256Of(AsBytes(index_)).ToString()).changed);
}

}  // namespace
}  // namespace varve
