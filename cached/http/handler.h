#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <variant>

#include "cached/base/bytes.h"
#include "cached/http/message.h"

namespace varve {

// Takes the body of one request, in order. All its calls, its destruction too, are made on worker threads, one after
// another. Destroyed without Finish: the client has gone, or was too slow, or sent what is not HTTP, or the server
// stops.
class HttpBodyTaker {
 public:
  virtual ~HttpBodyTaker() = default;
  // `piece` has 1..kHttpPieceBytes bytes: all but the last one the most. An answer ends the exchange: what is left of
  // the body is not read, and the connection closes.
  virtual std::optional<HttpResponse> Take(ByteSpan piece) = 0;
  virtual HttpResponse Finish() = 0;  // the whole body has been taken
};

constexpr std::size_t kHttpPieceBytes = 256 << 10;

// An answer, or who takes the body first.
using HttpReply = std::variant<HttpResponse, std::unique_ptr<HttpBodyTaker>>;

// Says what is answered. Thread-safe. Must outlive its server.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;

  enum class Place { kConnectionThread, kWorker };
  // Where Handle is called. kConnectionThread is only for what neither blocks nor computes for long: it keeps all other
  // connections of that thread waiting.
  virtual Place PlaceOf(const HttpRequest& request) const = 0;
  // `request` outlives the taker. A taker gets the body (100 Continue is sent first, if the client waits for it). An
  // answer means that the body is of no interest: a short one is read and dropped, otherwise the connection closes
  // after the answer.
  virtual HttpReply Handle(const HttpRequest& request) = 0;
};

// An exchange that has ended.
struct HttpExchangeReport {
  const HttpRequest* request;
  int status;                         // 0: the client had gone, or the server stopped, before there was an answer
  std::uint64_t received_bytes;       // of the body, taken or dropped
  std::uint64_t sent_bytes;           // of the body
  std::chrono::nanoseconds duration;  // from the whole head to the last byte given to the kernel
};

}  // namespace varve
