#pragma once

#include <grpcpp/support/status.h>

#include "cached/base/result.h"

namespace varve {

// The gRPC border: codes are the same numbers.
inline grpc::Status ToGrpc(const Error& error) {
  return {static_cast<grpc::StatusCode>(error.code()), error.message()};
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
