#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "cached/base/result.h"

namespace varve {

// Of a message that is sent: gRPC gives all headers of a reply 8 KiB, and may write a byte as three.
inline constexpr std::size_t kErrorMessageBytesMax = 2048;

// The gRPC border: codes are the same numbers. A message with a long path in it loses its middle: its beginning names
// the object, its end says what is wrong. The details tell it from what gRPC makes of a daemon that has gone.
inline grpc::Status ToGrpc(const Error& error) {
  std::string message = error.message();
  constexpr std::size_t kHalf = kErrorMessageBytesMax / 2;
  if (message.size() > kErrorMessageBytesMax) message.replace(kHalf, message.size() - 2 * kHalf, " [...] ");
  return {static_cast<grpc::StatusCode>(error.code()), message, "varve"};
}
inline grpc::Status ToGrpc(const Status& status) { return status.ok() ? grpc::Status::OK : ToGrpc(status.error()); }

}  // namespace varve

// Ends a gRPC handler with the error of `expression`, if it has one.
#define VARVE_GRPC_RETURN_IF_ERROR(expression)                                                     \
  do {                                                                                             \
    if (auto varve_status = (expression); !varve_status.ok()) return ToGrpc(varve_status.error()); \
  } while (false)
#define VARVE_GRPC_ASSIGN_OR_RETURN(lhs, expression) \
  VARVE_GRPC_ASSIGN_IMPL(VARVE_CONCAT(varve_result_, __LINE__), lhs, expression)
#define VARVE_GRPC_ASSIGN_IMPL(result, lhs, expression) \
  auto result = (expression);                           \
  if (!result.ok()) return ToGrpc(result.error());      \
  lhs = std::move(result).value()
