#include "cached/base/log.h"

#include <gtest/gtest.h>

#include <string>

namespace varve {
namespace {

using std::chrono::hours;

// Of that many events that differ from all before.
int AdmittedOf(LogLimit& limit, int events) {
  int admitted = 0;
  static int lines = 0;
  for (int i = 0; i < events; ++i) admitted += limit.Admit("another " + std::to_string(lines++)) ? 1 : 0;
  return admitted;
}

TEST(LogLimitTest, OfManyEventsAtOnceABurstIsLogged) {
  ManualClock clock;
  LogLimit limit(clock);
  EXPECT_EQ(AdmittedOf(limit, 1'000), LogLimit::kBurst);
}

TEST(LogLimitTest, ThenOneIsLoggedInEachIntervalAndSaysHowManyWereNot) {
  ManualClock clock;
  LogLimit limit(clock);
  AdmittedOf(limit, 1'000);
  clock.Advance(LogLimit::kInterval);
  EXPECT_EQ(limit.Admit("a"), " (990 more like this were left out before)");
  EXPECT_EQ(limit.Admit("b"), std::nullopt);
  clock.Advance(LogLimit::kInterval);
  EXPECT_EQ(limit.Admit("c"), " (1 more like this were left out before)");
}

TEST(LogLimitTest, WhatIsRareIsAlwaysLogged) {
  ManualClock clock;
  LogLimit limit(clock);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(AdmittedOf(limit, 1), 1);
    clock.Advance(LogLimit::kInterval);
  }
}

TEST(LogLimitTest, AfterAPauseTheBurstIsThereAgain) {
  ManualClock clock;
  LogLimit limit(clock);
  AdmittedOf(limit, 100);
  clock.Advance(hours(1));
  EXPECT_EQ(AdmittedOf(limit, 100), LogLimit::kBurst);
}

TEST(LogLimitTest, AClockThatIsPutBackDoesNotSilenceTheLog) {
  ManualClock clock;
  LogLimit limit(clock);
  AdmittedOf(limit, 100);
  clock.Advance(-hours(24));
  clock.Advance(LogLimit::kBurst * LogLimit::kInterval);
  EXPECT_EQ(AdmittedOf(limit, 100), 0);  // as if the burst had just been used
  clock.Advance(LogLimit::kInterval);
  EXPECT_EQ(AdmittedOf(limit, 1), 1);
}

TEST(LogLimitTest, OneThatFailsAgainAndAgainIsLoggedOnceAndDoesNotHideAnother) {
  ManualClock clock;
  LogLimit limit(clock);
  EXPECT_EQ(limit.Admit("a"), "");
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(limit.Admit("a"), std::nullopt);
  EXPECT_EQ(limit.Admit("b"), " (1000 more like this were left out before)");
}

TEST(LogLimitTest, WhatStillFailsIsLoggedAgainAfterAWhile) {
  ManualClock clock;
  LogLimit limit(clock);
  limit.Admit("a");
  clock.Advance(LogLimit::kRepeat);
  EXPECT_EQ(limit.Admit("a"), "");
  clock.Advance(-hours(24));
  EXPECT_EQ(limit.Admit("b"), std::nullopt);  // as if the burst had just been used
  clock.Advance(LogLimit::kInterval);
  EXPECT_NE(limit.Admit("a"), std::nullopt);
}

}  // namespace
}  // namespace varve
