#pragma once

#include "cached/registry/registry_client.h"
#include "proto/varve/v1/registry.grpc.pb.h"

namespace varve {

// varve.v1.Registry. `transport` must outlive it.
class RegistryService final : public v1::Registry::Service {
 public:
  explicit RegistryService(HttpTransport& transport) : transport_(transport) {}

  grpc::Status Login(grpc::ServerContext* context, const v1::LoginRequest* request, v1::LoginReply* reply) override;

 private:
  HttpTransport& transport_;
};

}  // namespace varve
