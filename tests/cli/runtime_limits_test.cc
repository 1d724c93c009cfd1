#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/runtime/cgroups.h"
#include "cli/runtime/limits.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

std::string Refusal(const LimitOptions& options) {
  const Result<Limits> limits = ParseLimits(options);
  return limits.ok() ? "accepted" : limits.error().message();
}

TEST(RuntimeLimitsTest, SizesAreInPowersOf1024) {
  EXPECT_EQ(*ParseSize("67108864"), 64u << 20);
  EXPECT_EQ(*ParseSize("512b"), 512u);
  EXPECT_EQ(*ParseSize("2K"), 2048u);
  EXPECT_EQ(*ParseSize("1.5k"), 1536u);
  EXPECT_EQ(*ParseSize("64MB"), 64u << 20);
  EXPECT_EQ(*ParseSize("64 MiB"), 64u << 20);
  EXPECT_EQ(*ParseSize("3g"), 3ULL << 30);
  for (const char* text : {"", "m", "-1", "1x", "1ib", "1mm", "nan", "inf", "99999999999999999999", "9999999999999g"})
    EXPECT_THAT(ParseSize(text).error().message(), HasSubstr("invalid size")) << text;
}

TEST(RuntimeLimitsTest, NothingAskedForIsNoLimit) {
  const Limits limits = *ParseLimits({});
  EXPECT_FALSE(limits.memory_bytes || limits.memory_and_swap_bytes || limits.cpu_quota_us || limits.processes);
  EXPECT_EQ(limits.shm_bytes, kShmBytes);
}

TEST(RuntimeLimitsTest, TooLittleAndTooMuchAreRefusedInDockersWords) {
  EXPECT_EQ(Refusal({.memory = "1m"}), "Minimum memory limit allowed is 6MB");
  for (const char* cpus : {"0", "0.001", "100000"}) EXPECT_THAT(Refusal({.cpus = cpus}), HasSubstr("Range of CPUs"));
  for (const char* cpus : {"nan", "one", "1x"}) EXPECT_NE(Refusal({.cpus = cpus}), "accepted") << cpus;
  for (const char* list : {"0;1", "0,", ",0", "1-0", "-1", "0-"})
    EXPECT_THAT(Refusal({.cpuset_cpus = list}), HasSubstr("a list such as")) << list;
  EXPECT_THAT(Refusal({.cpuset_cpus = "0-99999"}), HasSubstr("Requested CPUs are not available"));
  EXPECT_EQ(ParseLimits({.cpuset_cpus = "0,0-0"})->cpuset, "0,0-0");
}

TEST(RuntimeLimitsTest, SwapIsAsMuchAsMemoryUnlessToldOtherwise) {
  if (!SwapIsAccounted()) GTEST_SKIP() << "this kernel does not account for swap";
  EXPECT_EQ(ParseLimits({.memory = "64m"})->memory_and_swap_bytes, 128 << 20);
  EXPECT_EQ(ParseLimits({.memory = "64m", .memory_swap = "64m"})->memory_and_swap_bytes, 64 << 20);
  EXPECT_EQ(ParseLimits({.memory = "64m", .memory_swap = "-1"})->memory_and_swap_bytes, -1);
}

TEST(RuntimeLimitsTest, MoreMemoryThanTwiceFitsIntoANumberIsRefused) {
  EXPECT_TRUE(ParseLimits({.memory = "2048p"}).ok());
  EXPECT_THAT(Refusal({.memory = "4096p"}), HasSubstr("invalid size"));
}

TEST(RuntimeLimitsTest, SwapAloneOrLessThanMemoryIsRefused) {
  EXPECT_THAT(Refusal({.memory_swap = "64m"}), HasSubstr("always set the Memory limit"));
  EXPECT_THAT(Refusal({.memory = "64m", .memory_swap = "32m"}), HasSubstr("should be larger than memory"));
}

TEST(RuntimeLimitsTest, CpusAreAShareOfEachPeriod) {
  EXPECT_EQ(ParseLimits({.cpus = "0.5"})->cpu_quota_us, kCpuPeriodUs / 2);
}

TEST(RuntimeLimitsTest, NoPositiveNumberOfProcessesIsAnyNumber) {
  for (const int any : {0, -1}) EXPECT_FALSE(ParseLimits({.pids_limit = any})->processes.has_value());
  EXPECT_EQ(ParseLimits({.pids_limit = 12})->processes, 12);
}

}  // namespace
}  // namespace varve
