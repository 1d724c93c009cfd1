#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <iterator>
#include <string>

#include "tests/support/fault_fs.h"

namespace varve {

// How operations fail, and what is lost with the power afterwards.
struct Fault {
  FaultFs::Failing failing;
  FaultFs::Unsynced unsynced;
};
inline constexpr Fault kFaults[] = {
    {FaultFs::Failing::kFromThenOn, FaultFs::Unsynced::kDropped},
    {FaultFs::Failing::kOnce, FaultFs::Unsynced::kDropped},
    {FaultFs::Failing::kFromThenOn, FaultFs::Unsynced::kKept},
    {FaultFs::Failing::kOnce, FaultFs::Unsynced::kTorn},
    {FaultFs::Failing::kFromThenOn, FaultFs::Unsynced::kTorn},
    {FaultFs::Failing::kOnce, FaultFs::Unsynced::kKept},
    {FaultFs::Failing::kFromThenOn, FaultFs::Unsynced::kZeroed},
    {FaultFs::Failing::kOnce, FaultFs::Unsynced::kZeroed},
};

// Calls `fail_at(n, fault)` for n from 1 until it returns false: there is no operation n. By default every eleventh n
// is tried, with one kind of fault each in turn; VARVE_FAULT_STEP=1 tries every n, and with every kind.
template <class FailAt>
void SweepFaults(const FailAt& fail_at) {
  const char* const set = std::getenv("VARVE_FAULT_STEP");
  const std::uint64_t step = set == nullptr ? 11 : std::stoul(set);
  bool reached = true;
  std::size_t next = 0;
  for (std::uint64_t n = 1; reached && !testing::Test::HasFailure(); n += step) {
    const std::size_t kinds = step == 1 ? std::size(kFaults) : 1;
    for (std::size_t i = 0; i < kinds; ++i) {
      const Fault& fault = kFaults[next++ % std::size(kFaults)];
      SCOPED_TRACE("operation " + std::to_string(n) + ", fault " + std::to_string(&fault - kFaults));
      reached = fail_at(n, fault);
    }
  }
}

}  // namespace varve
