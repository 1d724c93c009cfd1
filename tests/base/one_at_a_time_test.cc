#include "cached/base/one_at_a_time.h"

#include <gtest/gtest.h>

#include <future>

#include "cached/base/cancel.h"

namespace varve {
namespace {

TEST(OneAtATimeTest, ASecondWaitsUntilTheFirstIsDone) {
  OneAtATime one;
  std::promise<void> waits;
  std::atomic<int> looks = 0;
  auto first = one.Take([] { return Ok(); });
  auto second = std::async(std::launch::async, [&] {
    return one
        .Take([&] {
          if (++looks == 2) waits.set_value();  // it has looked once, and found the turn taken
          return Ok();
        })
        .ok();
  });
  waits.get_future().wait();
  ASSERT_TRUE(first.ok());
  first->reset();
  EXPECT_TRUE(second.get());
  EXPECT_TRUE(one.Take([] { return Ok(); }).ok());
}

TEST(OneAtATimeTest, WhoWaitsCanGiveUp) {
  OneAtATime one;
  CancelToken cancel;
  std::promise<void> waits;
  std::atomic<int> looks = 0;
  const auto first = one.Take([] { return Ok(); });
  auto second = std::async(std::launch::async, [&] {
    return one.Take([&] {
      if (++looks == 2) waits.set_value();
      return cancel.Check();
    });
  });
  waits.get_future().wait();
  cancel.Cancel();
  EXPECT_EQ(second.get().error().code(), Code::kCancelled);
}

}  // namespace
}  // namespace varve
