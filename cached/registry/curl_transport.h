#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "cached/base/mutex.h"
#include "cached/registry/http_transport.h"

namespace varve {

struct CurlOptions {
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::seconds stall_timeout{30};  // without a byte
  std::size_t idle_connections_max = 8;
};

// HTTP/1.1 and HTTP/2 by libcurl. Each request runs on the calling thread, over a connection kept from an earlier one
// where it can.
class CurlTransport final : public HttpTransport {
 public:
  explicit CurlTransport(const CurlOptions& options = {});

  Result<HttpAnswer> Send(const HttpCall& request, const ConnectionOptions& connection, const BodySink& sink,
                          const CancelToken& cancel) override;

 private:
  struct Close {
    void operator()(void* easy) const;
  };
  using Handle = std::unique_ptr<void, Close>;  // a CURL*, with its connections

  Handle Borrow() EXCLUDES(mutex_);
  void Return(Handle handle) EXCLUDES(mutex_);

  const CurlOptions options_;
  Mutex mutex_;
  std::vector<Handle> idle_ GUARDED_BY(mutex_);
};

}  // namespace varve
