#pragma once

#include "cached/base/mutex.h"
#include "cached/server/pruner.h"
#include "proto/varve/v1/store.grpc.pb.h"

namespace varve {

// varve.v1.Store. Everything must outlive it.
class StoreService final : public v1::Store::Service {
 public:
  StoreService(Store& store, Catalog& catalog, Pruner& pruner) : store_(store), catalog_(catalog), pruner_(pruner) {}

  grpc::Status Usage(grpc::ServerContext* context, const v1::UsageRequest* request, v1::UsageReply* reply) override;
  grpc::Status Prune(grpc::ServerContext* context, const v1::PruneRequest* request, v1::PruneReply* reply) override;
  grpc::Status Verify(grpc::ServerContext* context, const v1::VerifyRequest* request,
                      grpc::ServerWriter<v1::VerifyEvent>* events) override;
  grpc::Status Explain(grpc::ServerContext* context, const v1::ExplainRequest* request,
                       v1::ExplainReply* reply) override;
  grpc::Status BenchDedup(grpc::ServerContext* context, const v1::BenchDedupRequest* request,
                          v1::BenchDedupReply* reply) override;

 private:
  Store& store_;
  Catalog& catalog_;
  Pruner& pruner_;
};

}  // namespace varve
