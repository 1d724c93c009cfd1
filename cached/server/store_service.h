#pragma once

#include "cached/base/mutex.h"
#include "cached/server/driver_sessions.h"
#include "cached/store/collector.h"
#include "cached/transfer/catalog.h"
#include "proto/varve/v1/store.grpc.pb.h"

namespace varve {

// varve.v1.Store. Everything must outlive it. Collections run one at a time.
class StoreService final : public v1::Store::Service {
 public:
  StoreService(Store& store, Catalog& catalog, DriverSessions& driver)
      : store_(store), catalog_(catalog), driver_(driver) {}

  grpc::Status Usage(grpc::ServerContext* context, const v1::UsageRequest* request, v1::UsageReply* reply) override;
  grpc::Status Prune(grpc::ServerContext* context, const v1::PruneRequest* request, v1::PruneReply* reply) override;
  grpc::Status Verify(grpc::ServerContext* context, const v1::VerifyRequest* request,
                      grpc::ServerWriter<v1::VerifyEvent>* events) override;
  grpc::Status Explain(grpc::ServerContext* context, const v1::ExplainRequest* request,
                       v1::ExplainReply* reply) override;
  grpc::Status BenchDedup(grpc::ServerContext* context, const v1::BenchDedupRequest* request,
                          v1::BenchDedupReply* reply) override;

 private:
  Result<std::vector<ChainId>> Candidates(CollectOptions::Images images) const;
  Result<CollectOutcome> Collect(CollectOptions::Images images);

  Store& store_;
  Catalog& catalog_;
  DriverSessions& driver_;
  std::mutex collecting_;  // held for a whole collection, which is I/O: not a Mutex of ours
};

}  // namespace varve
