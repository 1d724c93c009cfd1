#pragma once

#include <cstddef>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "cached/base/bounded_queue.h"
#include "cached/base/check.h"
#include "cached/base/result.h"

namespace varve {

// A fixed number of threads that run tasks in the order given. The queue is bounded: Run waits for room.
// Tasks must not block on other tasks of the same pool. The destructor runs what is queued, then joins.
class ThreadPool {
 public:
  ThreadPool(std::size_t threads, std::size_t queue_capacity);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  void Run(std::function<void()> task);

  template <class F>
  auto Async(F function) -> std::future<decltype(function())> {
    auto task = std::make_shared<std::packaged_task<decltype(function())()>>(std::move(function));
    auto future = task->get_future();
    Run([task] { (*task)(); });
    return future;
  }

 private:
  BoundedQueue<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
};

// Calls `work` with 0 to `count` - 1 on at most `threads` threads, the caller's among them, and waits. Once one call
// has failed no other begins; the error is that of the first.
Status EachInParallel(std::size_t count, std::size_t threads, const std::function<Status(std::size_t)>& work);

}  // namespace varve
