#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cached/content/sha256.h"
#include "cached/oci/manifest.h"
#include "cli/archive/commit_config.h"

namespace varve {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kBase = R"({
  "architecture": "amd64", "os": "linux", "unknown": [1], "container": "of the build",
  "config": {"Env": ["A=1"], "Cmd": ["sh"], "Labels": null, "Healthcheck": {"Test": ["NONE"]}},
  "rootfs": {"type": "layers", "diff_ids": ["sha256:0000000000000000000000000000000000000000000000000000000000000000"]},
  "history": [{"created_by": "base"}]})";

Json Committed(const CommittedImage& image) {
  const Result<std::string> config = CommitConfigJson(AsBytes(kBase), image);
  EXPECT_TRUE(config.ok()) << config.error().message();
  return Json::parse(*config);
}

TEST(CommitConfigTest, ALayerAndAHistoryEntryComeOnTopOfTheBase) {
  const Json json = Committed({.diff_id = Sha256Of(AsBytes("x")),
                               .created = "2026-01-02T03:04:05Z",
                               .author = "me",
                               .comment = "why",
                               .created_by = "sh -c x"});
  EXPECT_EQ(json["rootfs"]["diff_ids"].size(), 2u);
  EXPECT_EQ(json["rootfs"]["diff_ids"][1], Sha256Of(AsBytes("x")).ToString());
  EXPECT_EQ(
      json["history"][1],
      Json({{"created", "2026-01-02T03:04:05Z"}, {"created_by", "sh -c x"}, {"author", "me"}, {"comment", "why"}}));
  EXPECT_EQ(json["created"], "2026-01-02T03:04:05Z");
  EXPECT_EQ(json["config"], Json::parse(kBase)["config"]);
  EXPECT_EQ(json["unknown"], Json::array({1}));
  EXPECT_FALSE(json.contains("container"));
}

TEST(CommitConfigTest, TheContainersOptionsAreTheImagesAndChangesComeLast) {
  const Json config = Committed({.env = {"A=2", "B=3"},
                                 .entrypoint = std::vector<std::string>{"/init"},
                                 .cmd = std::vector<std::string>(),
                                 .user = "app",
                                 .volumes = {"/v"},
                                 .labels = {{"k", "v"}},
                                 .changes = {"USER root", "ENV C=4"}})["config"];
  EXPECT_EQ(config["Env"], Json::array({"A=2", "B=3", "C=4"}));
  EXPECT_EQ(config["Entrypoint"], Json::array({"/init"}));
  EXPECT_EQ(config["Cmd"], Json::array());
  EXPECT_EQ(config["User"], "root");
  EXPECT_EQ(config["Volumes"], Json({{"/v", Json::object()}}));
  EXPECT_EQ(config["Labels"], Json({{"k", "v"}}));
  EXPECT_TRUE(config.contains("Healthcheck"));
}

TEST(CommitConfigTest, AChangeThatCannotBeMeantIsNamed) {
  EXPECT_EQ(CommitConfigJson(AsBytes(kBase), {.changes = {"RUN x"}}).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(CommitConfigJson(AsBytes("[]"), {}).error().code(), Code::kInvalidArgument);
}

TEST(CommitConfigTest, TheManifestKeepsItsLayersAndItsKind) {
  for (const std::string kind : {"oci", "docker"}) {
    Manifest manifest;
    manifest.media_type = kind == "oci" ? "application/vnd.oci.image.manifest.v1+json"
                                        : "application/vnd.docker.distribution.manifest.v2+json";
    manifest.config = DescriptorOf("x", Sha256Of(AsBytes("c")), 1);
    manifest.layers = {DescriptorOf("application/vnd.oci.image.layer.v1.tar+gzip", Sha256Of(AsBytes("l")), 1)};
    const std::string base = ManifestJson(manifest);
    const Result<std::string> json = CommitManifestJson(AsBytes(base), "config", {Sha256Of(AsBytes("t")), 7});
    ASSERT_TRUE(json.ok()) << json.error().message();
    const Result<Manifest> made = ParseManifest(AsBytes(*json), "");
    ASSERT_TRUE(made.ok()) << made.error().message();
    EXPECT_EQ(made->media_type, manifest.media_type);
    EXPECT_EQ(made->config.digest, Sha256Of(AsBytes("config")));
    ASSERT_EQ(made->layers.size(), 2u);
    EXPECT_EQ(made->layers[0].digest, manifest.layers[0].digest);
    EXPECT_EQ(made->layers[1].size_bytes, 7u);
  }
}

}  // namespace
}  // namespace varve
