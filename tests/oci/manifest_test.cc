#include "cached/oci/manifest.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cached/content/sha256.h"
#include "cached/oci/image_config.h"
#include "cached/oci/media_types.h"

namespace varve {
namespace {

using testing::HasSubstr;

Digest DigestOf(std::string_view text) { return Sha256Of(AsBytes(text)); }

std::string DescriptorJson(std::string_view media_type, std::string_view content, std::string_view more = "") {
  return fmt::format(R"({{"mediaType":"{}","digest":"{}","size":{}{}}})", media_type, DigestOf(content).ToString(),
                     content.size(), more);
}

std::string ManifestJson(std::string_view media_type, std::string_view more = "") {
  return fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{},{}]{}}})", media_type,
                     DescriptorJson(kOciConfigType, "config"), DescriptorJson(kOciLayerGzipType, "one"),
                     DescriptorJson(kOciLayerZstdType, "layer two"), more);
}

std::string Entry(std::string_view name, std::string_view os, std::string_view architecture,
                  std::string_view variant = "") {
  return DescriptorJson(
      kOciManifestType, name,
      fmt::format(R"(,"platform":{{"os":"{}","architecture":"{}","variant":"{}"}})", os, architecture, variant));
}

std::string IndexJson(const std::vector<std::string>& entries) {
  std::string joined;
  for (const std::string& entry : entries) joined += (joined.empty() ? "" : ",") + entry;
  return fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}})", kOciIndexType, joined);
}

Index ParsedIndex(const std::vector<std::string>& entries) {
  auto index = ParseIndex(AsBytes(IndexJson(entries)), "");
  EXPECT_TRUE(index.ok()) << index.error().message();
  return *std::move(index);
}

TEST(ManifestTest, NamesConfigAndLayersInOrder) {
  const auto manifest =
      ParseManifest(AsBytes(ManifestJson(kOciManifestType, R"(,"annotations":{"a":"b"},"unknown":[1])")), "");
  ASSERT_TRUE(manifest.ok()) << manifest.error().message();
  EXPECT_EQ(manifest->media_type, kOciManifestType);
  EXPECT_EQ(manifest->config.digest, DigestOf("config"));
  ASSERT_EQ(manifest->layers.size(), 2u);
  EXPECT_EQ(manifest->layers[0].digest, DigestOf("one"));
  EXPECT_EQ(manifest->layers[1].digest, DigestOf("layer two"));
  EXPECT_EQ(manifest->layers[1].size_bytes, 9u);
  EXPECT_EQ(manifest->layers[1].media_type, kOciLayerZstdType);
  EXPECT_EQ(manifest->annotations.at("a"), "b");
}

TEST(ManifestTest, MediaTypeComesFromTheRegistryWhereTheDocumentHasNone) {
  const std::string json =
      fmt::format(R"({{"schemaVersion":2,"config":{},"layers":[]}})", DescriptorJson(kDockerConfigType, "c"));
  EXPECT_EQ(ParseManifest(AsBytes(json), kDockerManifestType)->media_type, kDockerManifestType);
  EXPECT_EQ(ParseManifest(AsBytes(json), "application/json; charset=utf-8")->media_type, kOciManifestType);
}

TEST(ManifestTest, KindIsDetectedFromTheFields) {
  EXPECT_EQ(*DetectManifestKind(AsBytes(ManifestJson(kOciManifestType)), ""), ManifestKind::kManifest);
  EXPECT_EQ(*DetectManifestKind(AsBytes(IndexJson({})), ""), ManifestKind::kIndex);
  EXPECT_EQ(*DetectManifestKind(AsBytes(R"({"schemaVersion":2,"manifests":[]})"), "text/plain"), ManifestKind::kIndex);
}

struct Refusal {
  std::string json;
  std::string content_type;
  Code code;
  std::string reason;
};

std::string WithLayer(std::string_view layer) {
  return fmt::format(R"({{"schemaVersion":2,"config":{},"layers":[{}]}})", DescriptorJson(kOciConfigType, "c"), layer);
}

std::string ManyLayers(std::size_t count) {
  std::string layers = DescriptorJson(kOciLayerType, "x");
  for (std::size_t i = 1; i < count; ++i) layers += "," + DescriptorJson(kOciLayerType, "x");
  return WithLayer(layers);
}

TEST(ManifestTest, RefusalSaysWhatIsWrong) {
  const Refusal refusals[] = {
      {"", "", Code::kInvalidArgument, "not JSON"},
      {"<html>", "", Code::kInvalidArgument, "not JSON"},
      {"[]", "", Code::kInvalidArgument, "not a JSON object"},
      {R"({"a":)" + std::string(5000, '['), "", Code::kInvalidArgument, "nested deeper than 32"},
      {std::string(kManifestBytesMax + 1, ' '), "", Code::kResourceExhausted, "at most 4194304 allowed"},
      {R"({"schemaVersion":2})", "", Code::kInvalidArgument, "neither \"layers\" nor \"manifests\""},
      {R"({"schemaVersion":1,"fsLayers":[]})", "", Code::kUnimplemented, "schema 1"},
      {R"({"schemaVersion":1})", "application/vnd.docker.distribution.manifest.v1+prettyjws", Code::kUnimplemented,
       "schema 1"},
      {R"({"schemaVersion":3,"layers":[]})", "", Code::kInvalidArgument, "schemaVersion is 3"},
      {ManifestJson(kOciManifestType, R"(,"manifests":[])"), "", Code::kInvalidArgument, "both"},
      {ManifestJson(kOciManifestType), std::string(kOciIndexType), Code::kInvalidArgument, "was sent as"},
      {ManifestJson(kOciIndexType), "", Code::kInvalidArgument, "but has \"layers\""},
      {IndexJson({}), "", Code::kInvalidArgument, "an index, where"},
      {ManyLayers(kLayersMax + 1), "", Code::kResourceExhausted, "513 layers, at most 512"},
      {WithLayer("7"), "", Code::kInvalidArgument, "layers[0]: not a descriptor"},
      {WithLayer(R"({"digest":"sha512:ab","size":1})"), "", Code::kInvalidArgument, "layers[0]: digest \"sha512:ab\""},
      {WithLayer(fmt::format(R"({{"digest":"{}"}})", DigestOf("x").ToString())), "", Code::kInvalidArgument, "no size"},
      {WithLayer(fmt::format(R"({{"digest":"{}","size":-1}})", DigestOf("x").ToString())), "", Code::kInvalidArgument,
       "\"size\" is not a number"},
      {WithLayer(fmt::format(R"({{"digest":"{}","size":18446744073709551615}})", DigestOf("x").ToString())), "",
       Code::kResourceExhausted, "at most 1099511627776"},
      {WithLayer(fmt::format(R"({{"digest":"{}","size":1,"urls":"x"}})", DigestOf("x").ToString())), "",
       Code::kInvalidArgument, "\"urls\" is not a list"},
      {R"({"schemaVersion":2,"config":null,"layers":[]})", "", Code::kInvalidArgument, "config: digest"}};
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.reason);
    const auto parsed = ParseManifest(AsBytes(refusal.json), refusal.content_type);
    ASSERT_FALSE(parsed.ok());
    EXPECT_EQ(parsed.error().code(), refusal.code) << parsed.error().message();
    EXPECT_THAT(parsed.error().message(), HasSubstr(refusal.reason));
  }
}

TEST(IndexTest, RefusesMoreEntriesThanTheLimit) {
  const auto index =
      ParseIndex(AsBytes(IndexJson(std::vector(kIndexEntriesMax + 1, Entry("x", "linux", "amd64")))), "");
  ASSERT_FALSE(index.ok());
  EXPECT_EQ(index.error().code(), Code::kResourceExhausted);
  EXPECT_THAT(index.error().message(), HasSubstr("4097 manifests, at most 4096"));
}

TEST(IndexTest, RefusesAManifest) {
  EXPECT_THAT(ParseIndex(AsBytes(ManifestJson(kDockerManifestType)), "").error().message(),
              HasSubstr("where an index was expected"));
}

Platform P(std::string_view text) { return *Platform::Parse(text); }

TEST(ChoosePlatformTest, TakesTheEntryOfTheProcessor) {
  const Index index =
      ParsedIndex({Entry("a", "linux", "arm64", "v8"), Entry("b", "linux", "amd64"), Entry("c", "windows", "amd64")});
  EXPECT_EQ(ChoosePlatform(index, P("linux/amd64"))->digest, DigestOf("b"));
  EXPECT_EQ(ChoosePlatform(index, P("linux/arm64"))->digest, DigestOf("a"));
  EXPECT_EQ(ChoosePlatform(index, P("windows/amd64"))->digest, DigestOf("c"));
}

TEST(ChoosePlatformTest, PrefersTheNewestVariantThatRuns) {
  const Index index = ParsedIndex(
      {Entry("5", "linux", "arm", "v5"), Entry("7", "linux", "arm", "v7"), Entry("6", "linux", "arm", "v6")});
  EXPECT_EQ(ChoosePlatform(index, P("linux/arm"))->digest, DigestOf("7"));
  EXPECT_EQ(ChoosePlatform(index, P("linux/arm/v6"))->digest, DigestOf("6"));
  EXPECT_EQ(ChoosePlatform(index, P("linux/arm/v8"))->digest, DigestOf("7"));
}

TEST(ChoosePlatformTest, FallsBackToAnOlderVariantButNeverToANewerOne) {
  const Index index = ParsedIndex({Entry("3", "linux", "amd64", "v3"), Entry("6", "linux", "arm", "v6")});
  EXPECT_EQ(ChoosePlatform(index, P("linux/arm/v7"))->digest, DigestOf("6"));
  EXPECT_FALSE(ChoosePlatform(index, P("linux/amd64")).ok());
  EXPECT_FALSE(ChoosePlatform(index, P("linux/arm/v5")).ok());
}

TEST(ChoosePlatformTest, NeverTakesAnAttestation) {
  const Index index = ParsedIndex({Entry("attestation", "unknown", "unknown"), Entry("image", "linux", "amd64")});
  EXPECT_EQ(ChoosePlatform(index, P("linux/amd64"))->digest, DigestOf("image"));
  EXPECT_FALSE(ChoosePlatform(index, P("unknown/unknown")).ok());
}

TEST(ChoosePlatformTest, TakesTheOnlyEntryThatNamesNoPlatform) {
  const std::string nameless = DescriptorJson(kOciManifestType, "only");
  EXPECT_EQ(ChoosePlatform(ParsedIndex({nameless, Entry("a", "unknown", "unknown")}), P("linux/amd64"))->digest,
            DigestOf("only"));
  EXPECT_FALSE(ChoosePlatform(ParsedIndex({nameless, nameless}), P("linux/amd64")).ok());
}

TEST(ChoosePlatformTest, SaysWhichPlatformsThereAre) {
  const auto chosen =
      ChoosePlatform(ParsedIndex({Entry("a", "linux", "s390x"), Entry("b", "unknown", "unknown")}), P("linux/arm64"));
  ASSERT_FALSE(chosen.ok());
  EXPECT_EQ(chosen.error().code(), Code::kNotFound);
  EXPECT_EQ(chosen.error().message(), "no image for platform linux/arm64; there are: linux/s390x");
}

TEST(MediaTypeTest, DockersAndOcisTypesAreToldApart) {
  EXPECT_TRUE(IsLayer("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"));
  EXPECT_TRUE(IsLayer(kDockerLayerGzipType));
  EXPECT_FALSE(IsLayer(kOciConfigType));
  EXPECT_TRUE(IsSchema1("application/vnd.docker.distribution.manifest.v1+json"));
  EXPECT_EQ(BareMediaType("application/json ; charset=utf-8"), "application/json");
}

TEST(ManifestTest, WhatIsWrittenIsReadBack) {
  Manifest manifest;
  manifest.media_type = kOciManifestType;
  manifest.config = DescriptorOf(kOciConfigType, Sha256Of(AsBytes("config")), 6);
  manifest.layers = {DescriptorOf(kOciLayerType, Sha256Of(AsBytes("layer")), 5)};
  const auto parsed = ParseManifest(AsBytes(ManifestJson(manifest)), kOciManifestType);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  EXPECT_EQ(parsed->config.digest, manifest.config.digest);
  EXPECT_EQ(parsed->layers.at(0).size_bytes, 5u);
  EXPECT_EQ(parsed->layers.at(0).media_type, kOciLayerType);

  Index index;
  index.media_type = kOciIndexType;
  index.manifests = {DescriptorOf(kOciManifestType, Sha256Of(AsBytes("manifest")), 8)};
  index.manifests[0].annotations = {{kRefNameAnnotation, "1"}};
  index.manifests[0].platform = Platform{"linux", "arm", "v7"};
  const auto entries = ParseIndex(AsBytes(IndexJson(index)), kOciIndexType);
  ASSERT_TRUE(entries.ok()) << entries.error().message();
  EXPECT_EQ(entries->manifests.at(0).annotations, index.manifests[0].annotations);
  EXPECT_EQ(entries->manifests.at(0).platform, index.manifests[0].platform);
}

}  // namespace
}  // namespace varve
