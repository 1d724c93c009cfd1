#include "cached/oci/layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cached/content/sha256.h"

namespace varve {
namespace {

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

}  // namespace
}  // namespace varve
