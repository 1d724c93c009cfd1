#include "cached/base/clock.h"

namespace varve {
namespace {

class SystemClock final : public Clock {
 public:
  std::chrono::system_clock::time_point Now() override { return std::chrono::system_clock::now(); }
};

}  // namespace

Clock& Clock::Real() {
  static SystemClock clock;
  return clock;
}

}  // namespace varve
