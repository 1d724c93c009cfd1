#pragma once

#include <functional>
#include <utility>

#include "cached/base/thread_pool.h"
#include "cached/http/coroutine.h"

namespace varve {

// Lets a coroutine have work done on a pool of threads, one piece at a time, and go on meanwhile. Belongs to the thread
// of `executor`. The pool's queue must have room for as many tasks as there are seats, so that Start never waits.
class WorkerSeat {
 public:
  WorkerSeat(ThreadPool& workers, HttpExecutor executor)
      : workers_(workers), executor_(std::move(executor)), done_(executor_) {}

  // Nothing may be under way. `then` is called on the executor's thread after the work.
  void Start(std::function<void()> work, std::function<void()> then = [] {});
  // Waits for what is under way, if anything is: always, before what it uses goes, and the seat too.
  Task<void> Finish();

 private:
  ThreadPool& workers_;
  const HttpExecutor executor_;
  SteadyTimer done_;
  bool busy_ = false;
};

}  // namespace varve
