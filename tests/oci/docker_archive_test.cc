#include "cached/oci/docker_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cached/oci/image_config.h"
#include "cached/oci/manifest.h"

namespace varve {
namespace {

using testing::HasSubstr;

const std::vector<DockerArchiveImage> kImages = {{"a.json", {"debian:12", "x:1"}, {"1/layer.tar", "2/layer.tar"}},
                                                 {"blobs/sha256/b", {}, {}}};

Error Refusal(const std::string& json) {
  const auto parsed = ParseDockerArchive(AsBytes(json));
  EXPECT_FALSE(parsed.ok());
  return parsed.ok() ? Error(Code::kUnknown, "") : parsed.error();
}

TEST(DockerArchiveTest, WhatIsWrittenIsReadBack) {
  const auto parsed = ParseDockerArchive(AsBytes(DockerArchiveJson(kImages)));
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  EXPECT_EQ(*parsed, kImages);
}

TEST(DockerArchiveTest, AnImageWithoutNamesHasNullWhereDockerHasIt) {
  EXPECT_EQ(DockerArchiveJson(std::span(kImages).last(1)),
            R"([{"Config":"blobs/sha256/b","RepoTags":null,"Layers":[]}])");
}

TEST(DockerArchiveTest, WhatIsNoListOfImagesIsRefused) {
  EXPECT_THAT(Refusal("{}").message(), HasSubstr("manifest.json: not a JSON list"));
  EXPECT_THAT(Refusal("[1]").message(), HasSubstr("not an object"));
  EXPECT_THAT(Refusal(R"([{"Layers": []}])").message(), HasSubstr("no \"Config\""));
  EXPECT_THAT(Refusal(R"([{"Config": "c", "Layers": [1]}])").message(), HasSubstr("Layers"));
}

TEST(DockerArchiveTest, WhatIsTooMuchIsRefusedByItsLimit) {
  EXPECT_EQ(Refusal(std::string(kManifestBytesMax + 1, ' ')).code(), Code::kResourceExhausted);
  EXPECT_EQ(Refusal(DockerArchiveJson(std::vector<DockerArchiveImage>(kIndexEntriesMax + 1, kImages[0]))).code(),
            Code::kResourceExhausted);
  DockerArchiveImage tall = kImages[0];
  tall.layers.resize(kLayersMax + 1);
  EXPECT_EQ(Refusal(DockerArchiveJson(std::span(&tall, 1))).code(), Code::kResourceExhausted);
}

}  // namespace
}  // namespace varve
