#pragma once

#include <string>
#include <variant>

#include "cached/distribution/registry_host.h"
#include "cached/http/handler.h"
#include "cached/server/v2/access.h"
#include "cached/server/v2/route.h"

namespace varve::v2 {

struct ApiOptions {
  bool deletes = true;
};

// The distribution API (OCI distribution-spec 1.1, and what docker's clients expect beyond it) as HTTP: addresses,
// statuses and error bodies; what they mean is RegistryHost's. Thread-safe.
class Api final : public HttpHandler {
 public:
  // Both must outlive it.
  Api(RegistryHost& registry, Access& access, const ApiOptions& options)
      : options_(options), registry_(registry), access_(access) {}

  Place PlaceOf(const HttpRequest& request) const override;
  HttpReply Handle(const HttpRequest& request) override;
  // For addresses beside the API that only known users may see, where users are known: the answer to others.
  std::optional<HttpResponse> RefusalOf(const HttpRequest& request);

 private:
  struct Admission {
    std::string user;
    std::optional<HttpResponse> refusal;
  };
  Admission Admit(const HttpRequest& request);
  HttpReply Answer(const HttpRequest& request);
  HttpReply Dispatch(const HttpRequest& request, const std::string& user, const Route& route);
  HttpReply Base(const HttpRequest& request, const std::string& user);
  HttpReply Catalog(const HttpRequest& request, const std::string& user);
  HttpReply Tags(const HttpRequest& request, const std::string& repository);
  HttpReply Referrers(const HttpRequest& request, const Route& route);

  const ApiOptions options_;
  RegistryHost& registry_;
  Access& access_;
};

}  // namespace varve::v2
