#include "cached/base/bounded_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

namespace varve {
namespace {

TEST(BoundedQueueTest, ValuesComeOutInTheOrderTheyWentIn) {
  BoundedQueue<int> queue(3);
  for (const int value : {1, 2, 3}) EXPECT_TRUE(queue.Push(value));
  for (const int value : {1, 2, 3}) EXPECT_EQ(queue.Pop(), value);
}

TEST(BoundedQueueTest, AFastProducerIsNeverMoreThanTheCapacityAhead) {
  constexpr int kCapacity = 2;
  BoundedQueue<int> queue(kCapacity);
  std::atomic<int> pushed = 0;
  std::thread producer([&] {
    for (int i = 0; i < 1000; ++i) {
      queue.Push(i);
      ++pushed;
    }
    queue.Close();
  });
  int popped = 0;
  int furthest = 0;
  while (queue.Pop()) furthest = std::max(furthest, pushed.load() - ++popped);
  producer.join();
  EXPECT_EQ(popped, 1000);
  EXPECT_LE(furthest, kCapacity);
}

TEST(BoundedQueueTest, AClosedQueueDeliversWhatItHoldsAndThenEnds) {
  BoundedQueue<int> queue(2);
  queue.Push(1);
  queue.Close();
  EXPECT_FALSE(queue.Push(2));
  EXPECT_EQ(queue.Pop(), 1);
  EXPECT_EQ(queue.Pop(), std::nullopt);
}

TEST(BoundedQueueTest, ClosingWakesAWaitingConsumer) {
  BoundedQueue<int> queue(1);
  std::thread consumer([&] { EXPECT_EQ(queue.Pop(), std::nullopt); });
  queue.Close();
  consumer.join();
}

TEST(BoundedQueueTest, AbandoningDropsWhatIsQueuedAndRefusesAWaitingProducer) {
  BoundedQueue<int> queue(1);
  queue.Push(1);
  std::thread producer([&] { EXPECT_FALSE(queue.Push(2)); });
  queue.Abandon();
  producer.join();
  EXPECT_EQ(queue.Pop(), std::nullopt);
}

}  // namespace
}  // namespace varve
