#include "cached/http/worker_seat.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "cached/base/check.h"

namespace varve {

void WorkerSeat::Start(std::function<void()> work, std::function<void()> then) {
  VARVE_CHECK(!busy_);
  busy_ = true;
  workers_.Run([this, work = std::move(work), then = std::move(then)] {
    work();
    boost::asio::post(executor_, [this, then] {
      busy_ = false;
      then();
      done_.cancel();
    });
  });
}

Task<void> WorkerSeat::Finish() {
  while (busy_) {
    done_.expires_at(SteadyTimer::time_point::max());
    co_await done_.async_wait(kNoThrow);
  }
}

}  // namespace varve
