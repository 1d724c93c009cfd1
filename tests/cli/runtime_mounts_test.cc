#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "cli/runtime/limits.h"
#include "cli/runtime/mounts.h"

namespace varve {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Destinations(const std::vector<Mount>& mounts) {
  std::vector<std::string> destinations;
  destinations.reserve(mounts.size());
  for (const Mount& mount : mounts) destinations.push_back(mount.destination);
  return destinations;
}

TEST(RuntimeMountsTest, AParentIsMountedBeforeWhatIsBelowIt) {
  EXPECT_THAT(
      Destinations(*ArrangeMounts({{"/etc/hosts", "bind", "h", {}}},
                                  {{"/v/a/b", "bind", "1", {}}, {"/v", "bind", "2", {}}, {"/etc", "bind", "3", {}}})),
      ElementsAre("/v", "/etc", "/etc/hosts", "/v/a/b"));
}

TEST(RuntimeMountsTest, WhatIsAskedForReplacesWhatWeMount) {
  const auto mounts = *ArrangeMounts(DefaultMounts(kShmBytes, Privileged::kNo), {{"/dev/shm", "bind", "/big", {}}});
  EXPECT_EQ(mounts.size(), DefaultMounts(kShmBytes, Privileged::kNo).size());
  EXPECT_EQ(std::ranges::count(mounts, std::string("/big"), &Mount::source), 1);
}

TEST(RuntimeMountsTest, TwoMountsOnOnePlaceAreRefused) {
  EXPECT_EQ(ArrangeMounts({}, {{"/v", "bind", "1", {}}, {"/v", "tmpfs", "2", {}}}).error().message(),
            "duplicate mount point: /v");
}

}  // namespace
}  // namespace varve
