#include "cached/base/log.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

using std::chrono::hours;

int AdmittedOf(LogLimit& limit, int events) {
  int admitted = 0;
  for (int i = 0; i < events; ++i) admitted += limit.Admit() ? 1 : 0;
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
  EXPECT_EQ(limit.Admit(), " (990 more like this were left out before)");
  EXPECT_EQ(limit.Admit(), std::nullopt);
  clock.Advance(LogLimit::kInterval);
  EXPECT_EQ(limit.Admit(), " (1 more like this were left out before)");
}

TEST(LogLimitTest, WhatIsRareIsAlwaysLogged) {
  ManualClock clock;
  LogLimit limit(clock);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(limit.Admit(), "");
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
  EXPECT_NE(limit.Admit(), std::nullopt);
}

}  // namespace
}  // namespace varve
