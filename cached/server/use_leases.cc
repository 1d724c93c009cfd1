#include "cached/server/use_leases.h"

#include <utility>

namespace varve {

std::uint64_t UseLeases::Grant(std::unique_ptr<LeaseTable::Session> leased) {
  Lease lease{std::move(leased), clock_.Now() + kTermMax};
  decltype(leases_)::node_type oldest;  // ends after the lock: a session takes one of its own
  MutexLock lock(mutex_);
  if (leases_.size() == kLeasesMax) oldest = leases_.extract(leases_.begin());
  leases_.emplace(next_, std::move(lease));
  return next_++;
}

void UseLeases::End(std::uint64_t lease) {
  decltype(leases_)::node_type ended;
  MutexLock lock(mutex_);
  ended = leases_.extract(lease);
}

void UseLeases::EndOverdue() {
  const auto now = clock_.Now();
  decltype(leases_) ended;
  MutexLock lock(mutex_);
  while (!leases_.empty() && leases_.begin()->second.ends <= now) ended.insert(leases_.extract(leases_.begin()));
}

}  // namespace varve
