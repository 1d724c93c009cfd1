#include "cached/oci/platform.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> RunnableOn(std::string_view text) {
  std::vector<std::string> names;
  for (const Platform& platform : Platform::Parse(text)->Runnable()) names.push_back(platform.ToString());
  return names;
}

TEST(PlatformTest, IsWrittenAsItWasRead) {
  for (const char* text : {"linux/amd64", "linux/arm64/v8", "linux/arm/v7", "windows/amd64", "freebsd/riscv64"}) {
    const auto platform = Platform::Parse(text);
    ASSERT_TRUE(platform.ok()) << platform.error().message();
    EXPECT_EQ(platform->ToString(), text);
  }
}

TEST(PlatformTest, KernelsWordsForAProcessorAreTaken) {
  EXPECT_EQ(Platform::Parse("linux/x86_64")->ToString(), "linux/amd64");
  EXPECT_EQ(Platform::Parse("aarch64")->ToString(), "linux/arm64");
  EXPECT_EQ(Platform::Parse("linux/armhf")->ToString(), "linux/arm/v7");
}

TEST(PlatformTest, ProcessorAloneMeansLinux) { EXPECT_EQ(Platform::Parse("s390x")->ToString(), "linux/s390x"); }

TEST(PlatformTest, AnythingElseIsRefusedByName) {
  for (const std::string& text : {std::string(), std::string("/"), std::string("linux/"), std::string("a/b/c/d"),
                                  std::string("linux"), std::string("linux/am d64"), std::string(1000, 'x')}) {
    const auto platform = Platform::Parse(text);
    ASSERT_FALSE(platform.ok()) << platform->ToString();
    EXPECT_EQ(platform.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(platform.error().message(), HasSubstr("platform \"" + text.substr(0, 128)));
  }
}

TEST(PlatformTest, HostRunsItself) {
  const Platform host = Platform::Host();
  EXPECT_EQ(host.os, "linux");
  EXPECT_EQ(host.Runnable().front().architecture, host.architecture);
}

TEST(PlatformTest, OlderVariantsAreRunnableAndNewerOnesAreNot) {
  EXPECT_THAT(RunnableOn("linux/arm"), ElementsAre("linux/arm/v7", "linux/arm/v6", "linux/arm/v5"));
  EXPECT_THAT(RunnableOn("linux/arm/v6"), ElementsAre("linux/arm/v6", "linux/arm/v5"));
  EXPECT_THAT(RunnableOn("linux/arm64"), ElementsAre("linux/arm64/v8"));
  EXPECT_THAT(RunnableOn("linux/amd64"), ElementsAre("linux/amd64/v1"));
  EXPECT_THAT(RunnableOn("linux/amd64/v3"), ElementsAre("linux/amd64/v3", "linux/amd64/v2", "linux/amd64/v1"));
}

TEST(PlatformTest, VariantsThatNobodyKnowsRunOnlyThemselves) {
  EXPECT_THAT(RunnableOn("linux/riscv64/rva20"), ElementsAre("linux/riscv64/rva20"));
  EXPECT_THAT(RunnableOn("linux/arm/v10"), ElementsAre("linux/arm/v10"));
  EXPECT_THAT(RunnableOn("linux/arm/v0"), ElementsAre("linux/arm/v0"));
  EXPECT_THAT(RunnableOn("linux/arm/x"), ElementsAre("linux/arm/x"));
}

}  // namespace
}  // namespace varve
