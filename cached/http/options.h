#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "cached/http/handler.h"

namespace varve {

struct HttpLimits {
  std::size_t head_bytes = 32 << 10;      // of a request: its line and fields; beyond is 431
  std::size_t connections = 10'000;       // at the same time; further ones are answered 503 and closed
  std::uint64_t dropped_bytes = 1 << 20;  // of a body that nobody wants; after a longer one the connection closes

  std::chrono::milliseconds head{30'000};         // from the first byte of a head to its end; for TLS's handshake
  std::chrono::milliseconds idle{120'000};        // from one exchange to the next request
  std::chrono::milliseconds body_stall{30'000};   // in which a client sends nothing of its body
  std::chrono::milliseconds write_stall{30'000};  // in which a client takes nothing of its answer
  std::chrono::milliseconds linger{2'000};        // for which a refused client may go on sending before it is cut off
};

struct HttpTlsOptions {               // PEM files
  std::string certificate_file = {};  // with what is between it and a root
  std::string key_file = {};
  std::string client_ca_file = {};  // whose certificates clients must have; empty: they need none
};

struct HttpServerOptions {
  std::string listen = {};                 // as ListenAddress has it
  std::optional<HttpTlsOptions> tls = {};  // TLS 1.2 or newer
  std::size_t threads = 2;                 // that serve connections
  std::size_t workers = 8;                 // that call handlers and takers, and wait for disks
  HttpLimits limits = {};
  // Called at the end of each exchange on the thread of its connection: must be quick.
  std::function<void(const HttpExchangeReport&)> report = {};
};

}  // namespace varve
