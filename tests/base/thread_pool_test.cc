#include "cached/base/thread_pool.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace varve
