#pragma once

#include "cached/transfer/catalog.h"
#include "cached/transfer/push.h"
#include "proto/varve/v1/registry.grpc.pb.h"

namespace varve {

// varve.v1.Registry. Everything must outlive it.
class RegistryService final : public v1::Registry::Service {
 public:
  using PushStream = grpc::ServerReaderWriter<v1::PushEvent, v1::PushRequest>;

  RegistryService(Store& store, Catalog& catalog, HttpTransport& transport)
      : store_(store), catalog_(catalog), transport_(transport) {}

  grpc::Status Login(grpc::ServerContext* context, const v1::LoginRequest* request, v1::LoginReply* reply) override;
  grpc::Status ListTags(grpc::ServerContext* context, const v1::ListTagsRequest* request,
                        v1::ListTagsReply* reply) override;
  grpc::Status GetManifest(grpc::ServerContext* context, const v1::GetManifestRequest* request,
                           v1::GetManifestReply* reply) override;
  grpc::Status Push(grpc::ServerContext* context, PushStream* stream) override;

 private:
  Store& store_;
  Catalog& catalog_;
  HttpTransport& transport_;
};

}  // namespace varve
