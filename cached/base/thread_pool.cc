#include "cached/base/thread_pool.h"

#include <algorithm>
#include <atomic>

namespace varve {

ThreadPool::ThreadPool(std::size_t threads, std::size_t queue_capacity) : queue_(queue_capacity) {
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] {
      while (auto task = queue_.Pop()) (*task)();
    });
  }
}

ThreadPool::~ThreadPool() {
  queue_.Close();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::Run(std::function<void()> task) { VARVE_CHECK(queue_.Push(std::move(task))); }

Status EachInParallel(std::size_t count, std::size_t threads, const std::function<Status(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> failed = false;
  Status outcome;  // whoever sets `failed` writes it
  const auto run = [&] {
    for (std::size_t i = next++; i < count && !failed; i = next++) {
      Status done = work(i);
      if (!done.ok() && !failed.exchange(true)) outcome = std::move(done);
    }
  };
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < std::min(threads, count); ++i) others.emplace_back(run);
  run();
  for (std::thread& thread : others) thread.join();
  return outcome;
}

}  // namespace varve
