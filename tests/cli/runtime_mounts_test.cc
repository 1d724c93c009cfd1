#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "cli/runtime/mounts.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

std::vector<std::string> Destinations(const std::vector<Mount>& mounts) {
  std::vector<std::string> destinations;
  destinations.reserve(mounts.size());
  for (const Mount& mount : mounts) destinations.push_back(mount.destination);
  return destinations;
}

TEST(RuntimeMountsTest, AVolumeIsAPrivateWritableBindMount) {
  const Mount mount = *ParseVolume("/srv/data/:/v//x/");
  EXPECT_EQ(mount.type, "bind");
  EXPECT_EQ(mount.source, "/srv/data");
  EXPECT_EQ(mount.destination, "/v/x");
  EXPECT_THAT(mount.options, ElementsAre("rbind", "rprivate", "rw"));
}

TEST(RuntimeMountsTest, VolumeOptionsSetAccessAndPropagation) {
  EXPECT_THAT(ParseVolume("/a:/b:ro,rslave,z")->options, ElementsAre("rbind", "rslave", "ro"));
}

TEST(RuntimeMountsTest, VolumesThatCannotBeMountedAreRefused) {
  EXPECT_EQ(ParseVolume("data:/b").error().code(), Code::kUnimplemented);
  EXPECT_EQ(ParseVolume("./data:/b").error().code(), Code::kUnimplemented);
  EXPECT_EQ(ParseVolume("/b").error().code(), Code::kUnimplemented);
  EXPECT_EQ(ParseVolume("/a:/b:rshared").error().code(), Code::kUnimplemented);
  EXPECT_EQ(ParseVolume("/a:b").error().code(), Code::kInvalidArgument);
  EXPECT_EQ(ParseVolume("/a:/x/..").error().code(), Code::kInvalidArgument);
  EXPECT_EQ(ParseVolume("/a:/b:ro:x").error().code(), Code::kInvalidArgument);
  EXPECT_THAT(ParseVolume("/a:/b:fast").error().message(), HasSubstr("unknown option 'fast'"));
}

TEST(RuntimeMountsTest, ATmpfsIsRestrictedUnlessAskedOtherwise) {
  EXPECT_THAT(ParseTmpfs("/run")->options, UnorderedElementsAre("noexec", "nosuid", "nodev"));
  EXPECT_THAT(ParseTmpfs("/run:size=64m,exec,mode=1777")->options,
              UnorderedElementsAre("nosuid", "nodev", "size=64m", "mode=1777"));
}

TEST(RuntimeMountsTest, UnknownTmpfsOptionsAreRefused) {
  EXPECT_EQ(ParseTmpfs("/run:upper=/etc").error().code(), Code::kInvalidArgument);
  EXPECT_EQ(ParseTmpfs("run").error().code(), Code::kInvalidArgument);
}

TEST(RuntimeMountsTest, AParentIsMountedBeforeWhatIsBelowIt) {
  EXPECT_THAT(
      Destinations(*ArrangeMounts({{"/etc/hosts", "bind", "h", {}}},
                                  {{"/v/a/b", "bind", "1", {}}, {"/v", "bind", "2", {}}, {"/etc", "bind", "3", {}}})),
      ElementsAre("/v", "/etc", "/etc/hosts", "/v/a/b"));
}

TEST(RuntimeMountsTest, WhatIsAskedForReplacesWhatWeMount) {
  const auto mounts = *ArrangeMounts(DefaultMounts(), {{"/dev/shm", "bind", "/big", {}}});
  EXPECT_EQ(mounts.size(), DefaultMounts().size());
  EXPECT_EQ(std::ranges::count(mounts, std::string("/big"), &Mount::source), 1);
}

TEST(RuntimeMountsTest, TwoMountsOnOnePlaceAreRefused) {
  EXPECT_EQ(ArrangeMounts({}, {{"/v", "bind", "1", {}}, {"/v", "tmpfs", "2", {}}}).error().message(),
            "duplicate mount point: /v");
}

TEST(RuntimeMountsTest, AMissingHostDirectoryIsMade) {
  const TempDir directory;
  ASSERT_TRUE(MakeMissingSources({{"/v", "bind", directory / "a/b", {}}}).ok());
  EXPECT_TRUE(std::filesystem::is_directory(directory / "a/b"));
}

}  // namespace
}  // namespace varve
