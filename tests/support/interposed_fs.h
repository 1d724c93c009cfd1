#pragma once

#include <functional>
#include <thread>
#include <utility>

#include "tests/support/forwarding_fs.h"

namespace varve {

// The real disk, on which something happens between two steps of the thread that is tested: at each place in turn,
// instead of now and then as with a second thread.
//
//   for (int n = 1;; ++n) {
//     fs.BeforeOpen(n, [&] { ... });   // what another thread might do just then
//     ... what is tested ...
//     if (!fs.happened()) break;       // it opens fewer files: all places were tried
//   }
class InterposedFs final : public ForwardingFs {
 public:
  // `happening` runs before the calling thread opens its `nth` file from now on (1 is the next).
  void BeforeOpen(int nth, std::function<void()> happening) {
    left_ = nth;
    happening_ = std::move(happening);
    thread_ = std::this_thread::get_id();
  }
  bool happened() const { return happening_ == nullptr; }

  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    // Only the thread that has set it looks at it.
    if (std::this_thread::get_id() == thread_ && happening_ != nullptr && --left_ == 0)
      std::exchange(happening_, nullptr)();
    return ForwardingFs::Open(path, mode);
  }

 private:
  int left_ = 0;
  std::function<void()> happening_;
  std::thread::id thread_;  // set before other threads use this
};

}  // namespace varve
