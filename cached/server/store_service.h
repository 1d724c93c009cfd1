#pragma once

#include <functional>
#include <utility>

#include "cached/base/mutex.h"
#include "cached/server/pruner.h"
#include "cached/transfer/repair.h"
#include "proto/varve/v1/store.grpc.pb.h"

namespace varve {

// varve.v1.Store. Everything must outlive it.
class StoreService final : public v1::Store::Service {
 public:
  // Returns once no original is needed for work in progress; an error of `keep_waiting` ends the wait.
  using AwaitIntake = std::function<Status(const Store::KeepWaiting& keep_waiting)>;
  StoreService(Store& store, Catalog& catalog, Pruner& pruner, ImageInstaller& installer, HttpTransport& transport,
               AwaitIntake await_intake)
      : await_intake_(std::move(await_intake)),
        store_(store),
        catalog_(catalog),
        pruner_(pruner),
        installer_(installer),
        transport_(transport) {}

  grpc::Status Usage(grpc::ServerContext* context, const v1::UsageRequest* request, v1::UsageReply* reply) override;
  grpc::Status Prune(grpc::ServerContext* context, const v1::PruneRequest* request, v1::PruneReply* reply) override;
  grpc::Status Verify(grpc::ServerContext* context, const v1::VerifyRequest* request,
                      grpc::ServerWriter<v1::VerifyEvent>* events) override;
  using RepairStream = grpc::ServerReaderWriter<v1::RepairEvent, v1::RepairRequest>;
  grpc::Status Repair(grpc::ServerContext* context, RepairStream* stream) override;
  grpc::Status Explain(grpc::ServerContext* context, const v1::ExplainRequest* request,
                       v1::ExplainReply* reply) override;
  grpc::Status Diff(grpc::ServerContext* context, const v1::DiffRequest* request,
                    grpc::ServerWriter<v1::DiffChanges>* changes) override;
  grpc::Status Tree(grpc::ServerContext* context, const v1::TreeRequest* request,
                    grpc::ServerWriter<v1::TreeLayer>* layers) override;
  grpc::Status BenchDedup(grpc::ServerContext* context, const v1::BenchDedupRequest* request,
                          v1::BenchDedupReply* reply) override;

 private:
  const AwaitIntake await_intake_;
  Store& store_;
  Catalog& catalog_;
  Pruner& pruner_;
  ImageInstaller& installer_;
  HttpTransport& transport_;
};

}  // namespace varve
