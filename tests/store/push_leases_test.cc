#include "cached/store/push_leases.h"

#include <gtest/gtest.h>

#include <string>

namespace varve {
namespace {

using std::chrono::hours;

const PushLeases::Time kNow{hours(1000)};

TEST(PushLeasesTest, HoldWhatAPusherWasToldSince) {
  PushLeases leases;
  leases.Add("link", kNow);
  EXPECT_TRUE(leases.Holds("link", kNow));
  EXPECT_FALSE(leases.Holds("link", kNow + hours(1)));
  EXPECT_FALSE(leases.Holds("another", kNow));
  leases.Drop("link");
  EXPECT_FALSE(leases.Holds("link", kNow));
}

TEST(PushLeasesTest, BeyondTheirBoundEverythingCountsAsTold) {
  constexpr int kBound = 1 << 18;
  PushLeases leases;
  for (int i = 0; i < kBound; ++i) leases.Add(std::to_string(i), kNow);
  EXPECT_FALSE(leases.Holds("another", kNow));
  leases.Add("one more", kNow);
  EXPECT_TRUE(leases.Holds("another", kNow));
  EXPECT_TRUE(leases.Holds("0", kNow));
  EXPECT_FALSE(leases.Holds("another", kNow + hours(1)));
}

}  // namespace
}  // namespace varve
