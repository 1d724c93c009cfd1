#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "cached/base/result.h"
#include "cached/http/handler.h"
#include "cached/http/options.h"

namespace varve {

// An HTTP/1.1 server. How a connection lives, and what waits where: cached/http/connection.h. Thread-safe.
class HttpServer {
 public:
  // Listens when it returns. `handler` must outlive it. Errors name the address, or the file of TLS.
  static Result<std::unique_ptr<HttpServer>> Start(HttpServerOptions options, HttpHandler& handler);
  ~HttpServer();  // Stop(0)

  // No new connections, idle ones are closed, and exchanges under way may end within `grace`; then they are cut off,
  // but what a handler does at that moment is waited for. Once.
  void Stop(std::chrono::milliseconds grace);

  // As HttpServerOptions::listen, with the real port.
  std::string address() const;

 private:
  class Implementation;  // keeps Boost out of here
  explicit HttpServer(std::unique_ptr<Implementation> implementation);

  std::unique_ptr<Implementation> implementation_;
};

}  // namespace varve
