#include "cached/registry/http_transport.h"

#include <fmt/core.h>

namespace varve {

HttpTransport::BodySink CollectInto(Bytes& body, std::size_t most_bytes) {
  return [&body, most_bytes](const HttpAnswer& head, ByteSpan piece) -> Status {
    if (body.size() + piece.size() > most_bytes) {
      return Error(Code::kResourceExhausted,
                   fmt::format("the answer (status {}) has more than {} bytes", head.status, most_bytes));
    }
    body.insert(body.end(), piece.begin(), piece.end());
    return Ok();
  };
}

}  // namespace varve
