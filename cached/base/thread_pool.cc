#include "cached/base/thread_pool.h"

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

}  // namespace varve
