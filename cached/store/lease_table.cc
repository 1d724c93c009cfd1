#include "cached/store/lease_table.h"

namespace varve {

LeaseTable::Session::Session(LeaseTable& table) : table_(table) {
  MutexLock lock(table_.mutex_);
  table_.sessions_.insert(this);
}

LeaseTable::Session::~Session() {
  MutexLock lock(table_.mutex_);
  table_.sessions_.erase(this);
}

bool LeaseTable::Session::Hold(const Digest& digest) {
  // Also of what is condemned: its finder writes it anew, and the next collection must not take that.
  if (table_.collecting_) table_.kept_.insert(Prefix(digest));
  touched_.push_back(Prefix(digest));
  const bool damaged = table_.damaged_.contains(digest);
  if (damaged) damaged_.push_back(digest);
  return !damaged;
}

bool LeaseTable::Session::Touch(const Digest& digest) {
  MutexLock lock(table_.mutex_);
  return Hold(digest) && !table_.condemned_.contains(digest);
}

bool LeaseTable::Session::Await(const Digest& digest) {
  MutexLock lock(table_.mutex_);
  const bool sound = Hold(digest);
  while (table_.condemned_.contains(digest)) table_.released_.Wait(lock);
  return sound;
}

void LeaseTable::Session::SetSound() {
  MutexLock lock(table_.mutex_);
  for (const Digest& digest : damaged_) table_.damaged_.erase(digest);
  damaged_.clear();
}

void LeaseTable::AddDamaged(std::span<const Digest> damaged) {
  MutexLock lock(mutex_);
  damaged_.insert(damaged.begin(), damaged.end());
}

std::vector<std::uint64_t> LeaseTable::BeginCollection() {
  MutexLock lock(mutex_);
  VARVE_CHECK(!collecting_);
  collecting_ = true;
  std::vector<std::uint64_t> held;
  for (const Session* session : sessions_) held.insert(held.end(), session->touched_.begin(), session->touched_.end());
  // What was touched before may become a record only after the mark has looked for it.
  kept_.insert(held.begin(), held.end());
  return held;
}

std::vector<Digest> LeaseTable::Condemn(std::span<const Digest> candidates) {
  MutexLock lock(mutex_);
  std::vector<Digest> condemned;
  for (const Digest& digest : candidates) {
    if (kept_.contains(Prefix(digest))) continue;
    condemned_.insert(digest);
    condemned.push_back(digest);
  }
  return condemned;
}

void LeaseTable::Release(std::span<const Digest> condemned) {
  MutexLock lock(mutex_);
  for (const Digest& digest : condemned) condemned_.erase(digest);
  released_.NotifyAll();
}

void LeaseTable::EndCollection() {
  MutexLock lock(mutex_);
  collecting_ = false;
  kept_.clear();
  condemned_.clear();
  released_.NotifyAll();
}

}  // namespace varve
