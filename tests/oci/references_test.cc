#include "cached/oci/references.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "cached/content/sha256.h"
#include "cached/oci/image_config.h"
#include "cached/oci/manifest.h"
#include "cached/oci/media_types.h"

namespace varve {
namespace {

std::string Descriptor(std::string_view type, std::string_view content) {
  return fmt::format(R"({{"mediaType":"{}","digest":"{}","size":{}}})", type, Sha256Of(AsBytes(content)).ToString(),
                     content.size());
}
Result<References> Parse(const std::string& json, std::string_view type = kOciManifestType) {
  return ParseReferences(AsBytes(json), type, kManifestBytesMax);
}
std::string Refusal(const std::string& json, std::string_view type = kOciManifestType) {
  const auto parsed = Parse(json, type);
  return parsed.ok() ? "" : parsed.error().message();
}

TEST(ReferencesTest, OfAnImageAreItsConfigAndLayers) {
  const auto found = Parse(fmt::format(R"({{"config":{},"layers":[{},{}],"annotations":{{"a":"b"}}}})",
                                       Descriptor(kOciConfigType, "{}"), Descriptor(kOciLayerType, "1"),
                                       Descriptor(kOciLayerType, "2")));
  ASSERT_TRUE(found.ok()) << found.error().message();
  EXPECT_EQ(found->media_type, kOciManifestType);
  EXPECT_EQ(found->artifact_type, kOciConfigType);  // what it is: its config says it
  EXPECT_EQ(found->config->digest, Sha256Of(AsBytes("{}")));
  ASSERT_EQ(found->layers.size(), 2u);
  EXPECT_EQ(found->layers[1].digest, Sha256Of(AsBytes("2")));
  EXPECT_EQ(found->annotations.at("a"), "b");
  EXPECT_FALSE(found->subject);
}

TEST(ReferencesTest, OfAnArtifactManifestAreItsBlobsAndSubject) {
  const auto found = Parse(fmt::format(R"({{"artifactType":"application/sbom","blobs":[{}],"subject":{}}})",
                                       Descriptor("text/plain", "sbom"), Descriptor(kOciManifestType, "image")),
                           "application/vnd.oci.artifact.manifest.v1+json");
  ASSERT_TRUE(found.ok()) << found.error().message();
  EXPECT_EQ(found->artifact_type, "application/sbom");
  EXPECT_EQ(found->layers.front().digest, Sha256Of(AsBytes("sbom")));
  EXPECT_EQ(found->subject, Sha256Of(AsBytes("image")));
}

TEST(ReferencesTest, OfAnIndexAreItsManifests) {
  const auto found =
      Parse(fmt::format(R"({{"manifests":[{}]}})", Descriptor(kOciManifestType, "image")), kOciIndexType);
  ASSERT_TRUE(found.ok()) << found.error().message();
  EXPECT_EQ(found->manifests.front().digest, Sha256Of(AsBytes("image")));
}

TEST(ReferencesTest, WhatContradictsItselfIsRefused) {
  EXPECT_NE(Refusal(R"({"mediaType":"application/x","config":{}})").find("calls itself application/x"),
            std::string::npos);
  EXPECT_NE(Refusal("{}").find("it has no config"), std::string::npos);
  EXPECT_NE(Refusal("{}", "").find("no media type"), std::string::npos);
  EXPECT_NE(Refusal(R"({"layers":[],"manifests":[]})", "x/y").find("both"), std::string::npos);
  EXPECT_NE(Refusal(R"({"fsLayers":[]})").find("schema 1"), std::string::npos);
  EXPECT_NE(Refusal("{}", std::string(300, 'x')).find("longer than"), std::string::npos);
}

TEST(ReferencesTest, MoreLayersThanThereMayBeAreRefused) {
  std::string layers;
  for (std::size_t i = 0; i <= kLayersMax; ++i) layers += (i == 0 ? "" : ",") + Descriptor(kOciLayerType, "x");
  const auto found = Parse(fmt::format(R"({{"config":{},"layers":[{}]}})", Descriptor(kOciConfigType, "{}"), layers));
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code(), Code::kResourceExhausted);
}

}  // namespace
}  // namespace varve
