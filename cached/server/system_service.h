#pragma once

#include <functional>
#include <string>

#include "cached/server/driver_sessions.h"
#include "proto/varve/v1/system.grpc.pb.h"

namespace varve {

// varve.v1.System. `stop` is called once a client has asked for it; it must not wait for this call to end.
class SystemService final : public v1::System::Service {
 public:
  SystemService(const RootPaths& paths, std::vector<std::string> config_files, DriverSessions& driver,
                std::function<void()> stop)
      : root_(paths.root),
        config_files_(std::move(config_files)),
        driver_(driver),
        stop_(std::move(stop)),
        started_unix_(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())) {}

  grpc::Status Status(grpc::ServerContext*, const v1::StatusRequest*, v1::StatusReply* reply) override;
  grpc::Status Stop(grpc::ServerContext*, const v1::StopRequest*, v1::StopReply*) override;

 private:
  const std::string root_;
  const std::vector<std::string> config_files_;
  DriverSessions& driver_;
  const std::function<void()> stop_;
  const std::time_t started_unix_;
};

}  // namespace varve
