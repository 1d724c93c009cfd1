#pragma once

#include <semaphore>

namespace varve {

// Whose turn it is to receive the next request.
//
// Most of the time of a small request goes into waking the thread that will answer it. Were all workers to wait for
// requests at once, the kernel would wake one that last ran on another, idle CPU. So one receives and answers, again
// and again, for as long as it is quick about it; before it does anything slower (waits for a disk, the daemon or
// another thread, decodes a large piece) it passes the turn to a worker that has slept so far. Measured:
// docs/design/fuse.md.
class Turn {
 public:
  // Returns when the turn is the calling thread's, at once if it is already.
  void Take() {
    if (held == this) return;
    free_.acquire();
    held = this;
  }
  // Gives the calling thread's turn, if it has one, to another thread.
  static void Pass() {
    if (held == nullptr) return;
    held->free_.release();
    held = nullptr;
  }

 private:
  static thread_local inline Turn* held = nullptr;
  std::binary_semaphore free_{1};
};

}  // namespace varve
