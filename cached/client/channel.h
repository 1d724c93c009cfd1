#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "cached/base/result.h"

namespace varve {

inline constexpr int kMessageBytesMax = 64 << 20;

// A channel to a daemon's unix socket. It connects when first used, and anew after the daemon restarted. Never by way
// of a proxy.
std::shared_ptr<grpc::Channel> ConnectUnix(const std::string& socket_path);

// The gRPC border: codes are the same numbers. `status` is not OK. The daemon sends details with its errors;
// kUnavailable without any is gRPC's own, of a daemon that has gone.
Error FromGrpc(const grpc::Status& status);

}  // namespace varve
