#pragma once

#include <chrono>

namespace varve {

// The clock seam: tests set the time, the daemon asks the kernel. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::chrono::system_clock::time_point Now() = 0;

  static Clock& Real();
};

// Set by hand.
class ManualClock final : public Clock {
 public:
  std::chrono::system_clock::time_point Now() override { return now_; }
  void Advance(std::chrono::nanoseconds by) {
    now_ += std::chrono::duration_cast<std::chrono::system_clock::duration>(by);
  }

 private:
  std::chrono::system_clock::time_point now_{std::chrono::seconds(1'700'000'000)};
};

}  // namespace varve
