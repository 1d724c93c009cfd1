#include "cached/oci/layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cached/content/sha256.h"
#include "cached/oci/media_types.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Descriptor Image(std::string_view name, std::string_view tag, std::optional<Platform> platform = std::nullopt) {
  Descriptor entry;
  entry.digest = Sha256Of(AsBytes(name));
  entry.platform = std::move(platform);
  if (!tag.empty()) entry.annotations[kRefNameAnnotation] = tag;
  return entry;
}

const Platform kArm64{.os = "linux", .architecture = "arm64", .variant = ""};
const Platform kAmd64{.os = "linux", .architecture = "amd64", .variant = ""};

Result<Digest> Choose(std::vector<Descriptor> images, std::string_view tag) {
  Index index;
  index.manifests = std::move(images);
  VARVE_ASSIGN_OR_RETURN(const Descriptor chosen, ChooseByTag(index, tag, kAmd64));
  return chosen.digest;
}

Digest Named(std::string_view name) { return Sha256Of(AsBytes(name)); }

TEST(LayoutTest, TagNamesTheImage) { EXPECT_EQ(*Choose({Image("a", "1"), Image("b", "2")}, "2"), Named("b")); }

TEST(LayoutTest, OnlyImageNeedsNoTag) { EXPECT_EQ(*Choose({Image("a", "whatever")}, ""), Named("a")); }

TEST(LayoutTest, WithoutATagLatestIsMeant) {
  EXPECT_EQ(*Choose({Image("a", "1"), Image("b", "latest")}, ""), Named("b"));
}

TEST(LayoutTest, RepeatedTagIsDecidedByThePlatform) {
  EXPECT_EQ(*Choose({Image("arm", "1", kArm64), Image("amd", "1", kAmd64)}, "1"), Named("amd"));
}

TEST(LayoutTest, UnknownTagIsAnErrorThatListsTheTags) {
  const auto chosen = Choose({Image("a", "1"), Image("b", "2"), Image("c", "")}, "3");
  ASSERT_FALSE(chosen.ok());
  EXPECT_EQ(chosen.error().code(), Code::kNotFound);
  EXPECT_EQ(chosen.error().message(), "no image tagged \"3\" in the layout of 3 images; its tags: 1, 2");
}

TEST(LayoutTest, EmptyLayoutHasNoTags) { EXPECT_THAT(Choose({}, "").error().message(), HasSubstr("its tags: none")); }

TEST(LayoutTest, OnlyVersionOneIsKnown) {
  EXPECT_TRUE(CheckLayoutVersion(AsBytes(R"({"imageLayoutVersion":"1.0.0"})")).ok());
  EXPECT_THAT(CheckLayoutVersion(AsBytes(R"({"imageLayoutVersion":"2.0.0"})")).error().message(),
              HasSubstr("only 1.x"));
  EXPECT_THAT(CheckLayoutVersion(AsBytes("{}")).error().message(), HasSubstr("oci-layout: imageLayoutVersion is \"\""));
  EXPECT_THAT(CheckLayoutVersion(AsBytes("")).error().message(), HasSubstr("oci-layout: not JSON"));
}

TEST(LayoutTest, AnImageThatIsAddedTakesThePlaceOfItsTagAndLeavesTheRest) {
  const auto entry = [](std::string_view content, const char* tag) {
    Descriptor descriptor = DescriptorOf(kOciManifestType, Sha256Of(AsBytes(content)), content.size());
    if (tag != nullptr) descriptor.annotations[kRefNameAnnotation] = tag;
    return descriptor;
  };
  std::string index;
  for (const Descriptor& added :
       {entry("a", "1"), entry("b", "2"), entry("c", nullptr), entry("a", "2"), entry("c", nullptr)}) {
    const auto with = AddToLayoutIndex(AsBytes(index), added);
    ASSERT_TRUE(with.ok()) << with.error().message();
    index = *with;
  }
  const auto parsed = ParseIndex(AsBytes(index), "");
  ASSERT_TRUE(parsed.ok());
  ASSERT_EQ(parsed->manifests.size(), 3u);
  EXPECT_EQ(parsed->manifests[0].digest, entry("a", "1").digest);
  EXPECT_EQ(parsed->manifests[1].digest, entry("a", "2").digest);
  EXPECT_EQ(parsed->manifests[2].digest, entry("c", nullptr).digest);
  const std::string foreign =
      R"({"schemaVersion":2,"annotations":{"mine":"x"},"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",)"
      R"("digest":"sha256:)" +
      std::string(64, 'a') + R"(","size":1,"annotations":null,"artifactType":"y"}]})";
  EXPECT_THAT(AddToLayoutIndex(AsBytes(foreign), entry("a", "1")).value(),
              AllOf(HasSubstr(R"("annotations":{"mine":"x"})"), HasSubstr(R"("artifactType":"y")")));
  EXPECT_EQ(AddToLayoutIndex(AsBytes("{"), entry("a", "1")).error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace varve
