#include "cached/server/registry_endpoint.h"

#include <fmt/core.h>

#include "cached/base/log.h"
#include "cached/http/listen_address.h"
#include "cached/server/v2/reply.h"

namespace varve {
namespace {

// The address, if it may be served as `options` has it.
Status CheckListener(const HostingOptions& options) {
  VARVE_ASSIGN_OR_RETURN(const ListenAddress address, ListenAddress::Parse(options.listen));
  const bool tls = !options.tls.certificate_file.empty() || !options.tls.key_file.empty();
  if (tls && (options.tls.certificate_file.empty() || options.tls.key_file.empty()))
    return Error(Code::kInvalidArgument, "registry.tls_certificate and registry.tls_key are needed together");
  if (!tls && !options.tls.client_ca_file.empty())
    return Error(Code::kInvalidArgument, "registry.client_ca needs registry.tls_certificate and registry.tls_key");
  const bool knows_users = !options.access.htpasswd_file.empty() || !options.tls.client_ca_file.empty();
  if (!knows_users && (!options.access.read_only_users.empty() || options.access.anonymous_may_read)) {
    return Error(Code::kInvalidArgument,
                 "registry.read_only_users and registry.anonymous say nothing without users: give registry.htpasswd or "
                 "registry.client_ca");
  }
  if (tls || address.loopback() || options.insecure) return Ok();
  return Error(Code::kFailedPrecondition,
               fmt::format("registry.listen = \"{}\" is reached from other machines: give registry.tls_certificate and "
                           "registry.tls_key, or set registry.insecure = true to serve passwords and images in plain "
                           "text",
                           options.listen));
}

HttpResponse TextReply(std::string type, std::string text) {
  HttpResponse response;
  response.fields.Set("Content-Type", std::move(type));
  response.body = std::move(text);
  return response;
}

}  // namespace

class RegistryEndpoint::FrontDoor final : public HttpHandler {
 public:
  FrontDoor(v2::Api& api, Metrics& metrics, LayerIntake& intake) : api_(api), metrics_(metrics), intake_(intake) {}

  Place PlaceOf(const HttpRequest& request) const override {
    return request.path == "/healthz" ? Place::kConnectionThread : api_.PlaceOf(request);
  }

  HttpReply Handle(const HttpRequest& request) override {
    const bool read = request.method == HttpMethod::kGet || request.method == HttpMethod::kHead;
    if (request.path == "/healthz") return read ? TextReply("text/plain", "ok\n") : v2::NotAllowedReply("GET, HEAD");
    if (request.path != "/metrics") return api_.Handle(request);
    if (!read) return v2::NotAllowedReply("GET, HEAD");
    if (auto refusal = api_.RefusalOf(request)) return *std::move(refusal);
    metrics_.SetManifestsWaiting(intake_.waiting());
    return TextReply("text/plain; version=0.0.4; charset=utf-8", metrics_.Text());
  }

 private:
  v2::Api& api_;
  Metrics& metrics_;
  LayerIntake& intake_;
};

RegistryEndpoint::RegistryEndpoint(Store& store, Clock& clock, const HostingOptions& options)
    : host_(store, clock, options.host,
            [this](const std::string& repository, const Digest& manifest) { intake_->Add(repository, manifest); }) {}

RegistryEndpoint::~RegistryEndpoint() = default;

Result<std::unique_ptr<RegistryEndpoint>> RegistryEndpoint::Start(Store& store, ImageInstaller& installer, Clock& clock,
                                                                  const HostingOptions& options) {
  VARVE_RETURN_IF_ERROR(CheckListener(options));
  std::unique_ptr<RegistryEndpoint> endpoint(new RegistryEndpoint(store, clock, options));
  v2::AccessOptions access = options.access;
  access.client_certificates = !options.tls.client_ca_file.empty();
  VARVE_ASSIGN_OR_RETURN(endpoint->access_, v2::Access::Create(access, clock));
  if (!options.access_log.empty()) {
    VARVE_ASSIGN_OR_RETURN(endpoint->access_log_, AccessLog::Open(options.access_log, clock));
  }
  endpoint->intake_ = std::make_unique<LayerIntake>(store, endpoint->host_, installer);
  endpoint->api_ = std::make_unique<v2::Api>(endpoint->host_, *endpoint->access_, options.api);
  endpoint->door_ = std::make_unique<FrontDoor>(*endpoint->api_, endpoint->metrics_, *endpoint->intake_);
  HttpServerOptions server;
  server.listen = options.listen;
  if (!options.tls.certificate_file.empty()) server.tls = options.tls;
  server.report = [raw = endpoint.get()](const HttpExchangeReport& report) {
    raw->metrics_.Count(report);
    if (raw->access_log_ != nullptr) raw->access_log_->Add(report);
  };
  VARVE_ASSIGN_OR_RETURN(endpoint->server_, HttpServer::Start(server, *endpoint->door_));
  LogInfo("the registry is served at {}{}", endpoint->server_->address(), server.tls ? "" : " without TLS");
  return endpoint;
}

}  // namespace varve
