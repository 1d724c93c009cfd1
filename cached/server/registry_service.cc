#include "cached/server/registry_service.h"

#include "cached/registry/login.h"
#include "cached/server/grpc_status.h"
#include "cached/server/registry_access.h"

namespace varve {

grpc::Status RegistryService::Login(grpc::ServerContext*, const v1::LoginRequest* request, v1::LoginReply*) {
  const CancelToken cancel;
  return ToGrpc(CheckLogin(transport_, request->domain(), ToRegistryOptions(request->access()), cancel).In("login"));
}

}  // namespace varve
