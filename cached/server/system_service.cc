#include "cached/server/system_service.h"

#include <unistd.h>

#include "cached/server/grpc_status.h"

namespace varve {

grpc::Status SystemService::Status(grpc::ServerContext*, const v1::StatusRequest*, v1::StatusReply* reply) {
  reply->set_version(VARVE_VERSION);
  reply->set_pid(::getpid());
  reply->set_started_unix(static_cast<std::uint64_t>(started_unix_));
  reply->set_root(root_);
  reply->mutable_config_files()->Assign(config_files_.begin(), config_files_.end());
  reply->set_driver_attends(driver_.attended());
  VARVE_GRPC_ASSIGN_OR_RETURN(const std::vector<ChainId> pinned, driver_.Pinned());
  for (const ChainId& chain_id : pinned) reply->add_served_chain_ids(chain_id.hex());
  return grpc::Status::OK;
}

grpc::Status SystemService::Stop(grpc::ServerContext*, const v1::StopRequest*, v1::StopReply*) {
  stop_();
  return grpc::Status::OK;
}

}  // namespace varve
