#include "cached/base/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

namespace varve {
namespace {

Result<int> Half(int value) {
  if (value % 2 != 0) return Error(Code::kInvalidArgument, "odd");
  return value / 2;
}

Result<int> Quarter(int value) {
  VARVE_ASSIGN_OR_RETURN(const int half, Half(value));
  return Half(half).In("second half");
}

TEST(ResultTest, AValuePassesThroughEachStep) {
  const Result<int> quarter = Quarter(12);
  ASSERT_TRUE(quarter.ok());
  EXPECT_EQ(*quarter, 3);
}

TEST(ResultTest, AnErrorReturnsFromTheFunctionThatSeesIt) { EXPECT_EQ(Quarter(3).error().message(), "odd"); }

TEST(ResultTest, ContextGoesInFrontAndKeepsTheCode) {
  const Status status = Status(Error(Code::kDataLoss, "digest mismatch")).In("layer x").In("pull y");
  EXPECT_EQ(status.error().message(), "pull y: layer x: digest mismatch");
  EXPECT_EQ(status.error().code(), Code::kDataLoss);
}

TEST(ResultTest, AMoveOnlyValueCanBeTakenOut) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 7);
}

TEST(ResultTest, AFullDiskIsAnExhaustedResourceAndNamesTheFile) {
  const Error error = ErrnoError(ENOSPC, "/store/pack");
  EXPECT_EQ(error.code(), Code::kResourceExhausted);
  EXPECT_EQ(error.message(), "/store/pack: No space left on device");
}

TEST(ResultDeathTest, ReadingTheValueOfAnErrorEndsTheProcess) {
  const Result<int> odd = Half(1);
  EXPECT_DEATH(static_cast<void>(odd.value()), "check failed: ok\\(\\)");
}

}  // namespace
}  // namespace varve
