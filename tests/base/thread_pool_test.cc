#include "cached/base/thread_pool.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <latch>

namespace varve {
namespace {

TEST(ThreadPoolTest, ATaskGivesItsValueBack) {
  ThreadPool pool(2, 4);
  EXPECT_EQ(pool.Async([] { return 6 * 7; }).get(), 42);
}

TEST(ThreadPoolTest, TasksRunOnSeveralThreadsAtOnce) {
  ThreadPool pool(2, 4);
  std::latch both(2);
  auto first = pool.Async([&] { both.arrive_and_wait(); });
  auto second = pool.Async([&] { both.arrive_and_wait(); });
  first.get();
  second.get();
}

TEST(ThreadPoolTest, TheDestructorRunsWhatIsQueued) {
  std::atomic<int> runs = 0;
  {
    ThreadPool pool(1, 2);
    for (int i = 0; i < 100; ++i) pool.Run([&] { ++runs; });
  }
  EXPECT_EQ(runs, 100);
}

TEST(EachInParallelTest, EachIsCalledOnceOnAsManyThreadsAsAskedFor) {
  std::latch both(2);
  std::array<std::atomic<int>, 5> calls{};
  const Status done = EachInParallel(calls.size(), 2, [&](std::size_t i) -> Status {
    ++calls[i];
    if (i < 2) both.arrive_and_wait();
    return Ok();
  });
  EXPECT_TRUE(done.ok());
  for (const auto& count : calls) EXPECT_EQ(count, 1);
}

TEST(EachInParallelTest, NothingBeginsAfterAFailureWhichIsTheError) {
  int calls = 0;
  const Status done = EachInParallel(5, 1, [&](std::size_t i) -> Status {
    ++calls;
    return i < 2 ? Ok() : Status(Error(Code::kDataLoss, "third"));
  });
  EXPECT_EQ(done.error().message(), "third");
  EXPECT_EQ(calls, 3);
}

}  // namespace
}  // namespace varve
