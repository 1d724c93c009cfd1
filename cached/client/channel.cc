#include "cached/client/channel.h"

namespace varve {
namespace {

// A local daemon is up within milliseconds: gRPC's own back-off of a second to minutes would only make commands wait.
constexpr int kReconnectMsMin = 50;
constexpr int kReconnectMsMax = 1000;

}  // namespace

std::shared_ptr<grpc::Channel> ConnectUnix(const std::string& socket_path) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetMaxSendMessageSize(kMessageBytesMax);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMsMin);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kReconnectMsMin);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMsMax);
  return grpc::CreateCustomChannel("unix:" + socket_path, grpc::InsecureChannelCredentials(), arguments);
}

Error FromGrpc(const grpc::Status& status) {
  const int code = status.error_code();
  const bool known = code >= static_cast<int>(Code::kCancelled) && code <= static_cast<int>(Code::kUnauthenticated);
  if (code == static_cast<int>(Code::kUnavailable) && status.error_details().empty()) {
    return Error(Code::kUnavailable, "varve-cached has ended or does not answer (" + status.error_message() +
                                         "); the next command starts it");
  }
  return Error(known ? static_cast<Code>(code) : Code::kUnknown, status.error_message());
}

}  // namespace varve
