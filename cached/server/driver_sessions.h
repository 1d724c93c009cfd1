#pragma once

#include <chrono>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "cached/base/mutex.h"
#include "cached/store/store.h"
#include "proto/varve/v1/mount.grpc.pb.h"

namespace varve {

// varve.v1.Mounts: what the driver asks, and the stream by which the daemon asks the driver. At most one driver attends
// at a time; a new one replaces the old. Thread-safe.
//
// A served image is pinned in the index (column pin) from Describe on, before the driver learns where it lies, until
// the driver has released it: a restart of the daemon forgets nothing that is mounted.
class DriverSessions final : public v1::Mounts::Service {
 public:
  explicit DriverSessions(Store& store) : store_(store) {}

  grpc::Status Describe(grpc::ServerContext* context, const v1::DescribeRequest* request,
                        v1::DescribeReply* reply) override;
  grpc::Status Resolve(grpc::ServerContext* context, const v1::ResolveRequest* request,
                       v1::ResolveReply* reply) override;
  using Stream = grpc::ServerReaderWriter<v1::DriverCommand, v1::DriverEvent>;
  grpc::Status Attend(grpc::ServerContext* context, Stream* stream) override;

  // The pinned images that nobody uses are released; the rest is returned. Without a driver process every pin is void;
  // with one that does not attend or answer, every pin stays.
  Result<std::vector<ChainId>> ReleaseUnused(std::span<const ChainId> candidates);
  Result<std::vector<ChainId>> Pinned() const;
  // Asks the driver to close packs that are about to go, and waits for a bounded time.
  void ClosePacks(std::span<const PackId> packs);

  bool attended() const EXCLUDES(mutex_);

 private:
  // Sends `command` under a fresh request number; the event that answers it, or nothing after `timeout`.
  std::optional<v1::DriverEvent> Ask(v1::DriverCommand command, std::chrono::milliseconds timeout) EXCLUDES(mutex_);
  void TakeAnswer(v1::DriverEvent event) EXCLUDES(mutex_);
  Status Pin(const ChainId& chain_id);
  Status Unpin(const std::vector<ChainId>& released);
  bool DriverLives() const;

  Store& store_;
  Mutex write_mutex_;  // one writer on the stream at a time; before mutex_
  mutable Mutex mutex_;
  CondVar answered_;
  Stream* stream_ GUARDED_BY(mutex_) = nullptr;
  std::uint64_t next_request_ GUARDED_BY(mutex_) = 1;
  std::set<std::uint64_t> asked_ GUARDED_BY(mutex_);
  std::map<std::uint64_t, v1::DriverEvent> answers_ GUARDED_BY(mutex_);
};

}  // namespace varve
