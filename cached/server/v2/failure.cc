#include "cached/server/v2/failure.h"

#include "cached/base/log.h"
#include "cached/server/v2/reply.h"

namespace varve::v2 {

HttpResponse FailureReply(const HttpRequest& request, const Error& error, const Words& words) {
  switch (error.code()) {
    case Code::kNotFound:
      return ErrorReply(404, words.unknown, error.message());
    case Code::kInvalidArgument:
      return ErrorReply(400, words.invalid, error.message());
    case Code::kFailedPrecondition:
      return ErrorReply(404, "MANIFEST_BLOB_UNKNOWN", error.message());
    case Code::kAborted:
      return ErrorReply(409, words.invalid, error.message());
    default:
      break;
  }
  LogError("request {}: {} {}: {}", request.id, HttpMethodName(request.method), request.path, error.message());
  if (error.code() == Code::kResourceExhausted)
    return ErrorReply(507, "UNKNOWN", "the registry has run out of disk space or another resource; nothing was stored");
  return ErrorReply(500, "UNKNOWN", "the registry failed; its log has the reason under request " + request.id);
}

}  // namespace varve::v2
