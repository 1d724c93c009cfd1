#pragma once

#include <memory>
#include <string>

#include "cached/base/clock.h"
#include "cached/distribution/layer_intake.h"
#include "cached/distribution/registry_host.h"
#include "cached/http/server.h"
#include "cached/server/access_log.h"
#include "cached/server/metrics.h"
#include "cached/server/v2/api.h"
#include "cached/transfer/install.h"

namespace varve {

// [registry] of cached.toml.
struct HostingOptions {
  std::string listen;     // empty: no registry is served
  bool insecure = false;  // without TLS, whoever may reach the address
  HttpTlsOptions tls;     // without files: none
  RegistryHostOptions host;
  v2::AccessOptions access;
  v2::ApiOptions api;
  std::string access_log;  // empty: none
};

// The registry that a daemon serves over HTTP, with /metrics and /healthz beside it: wiring.
class RegistryEndpoint {
 public:
  // All must outlive it. kFailedPrecondition for an address beyond this machine without TLS, unless `insecure`.
  static Result<std::unique_ptr<RegistryEndpoint>> Start(Store& store, ImageInstaller& installer, Clock& clock,
                                                         const HostingOptions& options);
  ~RegistryEndpoint();
  // No new requests; those under way may end within `grace`. Once.
  void Stop(std::chrono::milliseconds grace) { server_->Stop(grace); }

  // Returns once no push has layers that are still to be chunked. An error of `keep_waiting` ends the wait.
  Status WaitForIntake(const Store::KeepWaiting& keep_waiting) { return intake_->WaitUntilIdle(keep_waiting); }

 private:
  // /metrics and /healthz; all else is the API's.
  class FrontDoor;

  RegistryEndpoint(Store& store, Clock& clock, const HostingOptions& options);

  Metrics metrics_;
  std::unique_ptr<AccessLog> access_log_;  // null: none
  std::unique_ptr<v2::Access> access_;
  RegistryHost host_;
  std::unique_ptr<LayerIntake> intake_;
  std::unique_ptr<v2::Api> api_;
  std::unique_ptr<FrontDoor> door_;
  std::unique_ptr<HttpServer> server_;  // last: stops first
};

}  // namespace varve
