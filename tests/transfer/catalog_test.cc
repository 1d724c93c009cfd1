#include "cached/transfer/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cached/content/sha256.h"
#include "tests/store/store_fixture.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class CatalogTest : public testing::Test {
 protected:
  std::string Found(const std::string& image) {
    const auto found = catalog_.Find(image);
    return found.ok() ? found->manifest_digest.ToString() : found.error().message();
  }

  TinyStore store_;
  ManualClock clock_;
  Catalog catalog_{*store_, clock_};
  const Digest layer_ = store_.AddLayer({{"file", "1"}});
  const Digest debian_ = store_.AddImage("docker.io/library/debian:12", {layer_});
  const Digest app_ = store_.AddImage("registry.example/app:1", {layer_});
};

TEST_F(CatalogTest, NamesAreDockersShortOrWhole) {
  for (const char* name : {"debian:12", "library/debian:12", "docker.io/library/debian:12"})
    EXPECT_EQ(Found(name), debian_.ToString()) << name;
  EXPECT_EQ(Found("registry.example/app:1"), app_.ToString());
}

TEST_F(CatalogTest, WhatIsNotThereIsNamed) {
  EXPECT_EQ(Found("debian"), "No such image: debian");  // :latest
  EXPECT_EQ(Found("ffffffffffff"), "No such image: ffffffffffff");
  EXPECT_EQ(catalog_.Find("debian").error().code(), Code::kNotFound);
}

TEST_F(CatalogTest, AUniquePrefixOfADigestIsEnough) {
  EXPECT_EQ(Found(debian_.ToString()), debian_.ToString());
  EXPECT_EQ(Found(app_.hex().substr(0, 12)), app_.ToString());
}

TEST_F(CatalogTest, APrefixThatFitsSeveralIsRefused) {
  for (int i = 0; i < 16; ++i) store_.AddImage("registry.example/more:" + std::to_string(i), {layer_});
  // 18 images with two digests each: of 16 first digits at least one begins two of them.
  int refused = 0;
  for (const char digit : std::string_view("0123456789abcdef")) {
    const auto found = catalog_.Find(std::string(1, digit));
    if (!found.ok() && found.error().code() == Code::kInvalidArgument) ++refused;
  }
  EXPECT_GT(refused, 0);
}

TEST_F(CatalogTest, AnIdOfOneImageWithTwoManifestsMeansTheOneWithAName) {
  const std::string config = "config of docker.io/library/debian:12";
  store_.AddImage("docker.io/library/other:1", {layer_}, config);
  const Digest named = store_.AddImage("docker.io/library/named:1", {layer_}, config);
  for (const char* taken : {"debian:12", "other:1"}) ASSERT_TRUE(catalog_.Tag("registry.example/app:1", taken).ok());
  const std::string id = Sha256Of(AsBytes(config)).ToString();
  EXPECT_EQ(Found(id), named.ToString());
  EXPECT_EQ(catalog_.Remove(id, Catalog::Force::kNo)->deleted.size(), 1u);
  EXPECT_EQ(Found(id), "No such image: " + id);
}

TEST_F(CatalogTest, ATagIsAnotherName) {
  ASSERT_TRUE(catalog_.Tag("debian:12", "mine").ok());
  EXPECT_EQ(Found("mine"), debian_.ToString());
  EXPECT_THAT(catalog_.NamesOf(debian_).value(),
              ElementsAre("docker.io/library/debian:12", "docker.io/library/mine:latest"));
}

TEST_F(CatalogTest, ATagThatMovesLeavesADanglingImage) {
  ASSERT_TRUE(catalog_.Tag("registry.example/app:1", "debian:12").ok());
  EXPECT_EQ(Found("debian:12"), app_.ToString());
  EXPECT_THAT(catalog_.NamesOf(debian_).value(), IsEmpty());
  EXPECT_EQ(catalog_.List()->size(), 3u);
}

TEST_F(CatalogTest, ATagIsNeverADigest) {
  EXPECT_EQ(catalog_.Tag("debian:12", "x@" + app_.ToString()).error().code(), Code::kInvalidArgument);
}

TEST_F(CatalogTest, RemovingANameRemovesTheImageWithTheLast) {
  ASSERT_TRUE(catalog_.Tag("debian:12", "mine").ok());
  const auto first = catalog_.Remove("mine", Catalog::Force::kNo);
  ASSERT_TRUE(first.ok());
  EXPECT_THAT(first->untagged, ElementsAre("docker.io/library/mine:latest"));
  EXPECT_THAT(first->deleted, IsEmpty());
  EXPECT_EQ(catalog_.Remove("debian:12", Catalog::Force::kNo)->deleted.size(), 1u);
  EXPECT_EQ(catalog_.List()->size(), 1u);
}

TEST_F(CatalogTest, AnIdWithSeveralNamesIsRemovedByForceOnly) {
  ASSERT_TRUE(catalog_.Tag("debian:12", "mine").ok());
  const auto refused = catalog_.Remove(debian_.hex(), Catalog::Force::kNo);
  EXPECT_EQ(refused.error().code(), Code::kFailedPrecondition);
  EXPECT_THAT(refused.error().message(), HasSubstr("--force"));
  EXPECT_EQ(catalog_.Remove(debian_.hex(), Catalog::Force::kYes)->untagged.size(), 2u);
}

}  // namespace
}  // namespace varve
