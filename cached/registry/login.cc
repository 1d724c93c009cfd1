#include "cached/registry/login.h"

#include <fmt/core.h>

#include "cached/registry/answers.h"
#include "cached/registry/greeting.h"

namespace varve {
namespace {

Status Check(HttpTransport& transport, const std::string& domain, const RegistryOptions& options,
             const CancelToken& cancel) {
  VARVE_ASSIGN_OR_RETURN(const Greeting greeting, Greet(transport, domain, options.connection, cancel));
  HttpAnswer response = greeting.response;
  Bytes body;
  if (response.status == 401) {
    const Encryption encryption = greeting.base_url.starts_with("https:") ? Encryption::kTls : Encryption::kNone;
    Authenticator authenticator(transport, options.connection, options.credentials, encryption, "");
    Status renewed = authenticator.Renew(response.Header("www-authenticate"), "", cancel);
    if (!renewed.ok() && renewed.error().code() == Code::kUnauthenticated) return renewed.error().In("unauthorized");
    if (!renewed.ok()) return renewed;
    const HttpCall request{.url = greeting.base_url + "/v2/",
                           .headers = {std::string(kUserAgent), "Authorization: " + authenticator.Authorization()},
                           .body = {}};
    VARVE_ASSIGN_OR_RETURN(response,
                           transport.Send(request, options.connection, CollectInto(body, kAnswerBytesMax), cancel));
  }
  if (response.status / 100 == 2) return Ok();
  const std::string said = fmt::format("status {} {}", response.status, ParseErrorAnswer(body));
  if (response.status == 401 || response.status == 403) {
    return Error(Code::kUnauthenticated, fmt::format("unauthorized: user name or password refused ({})", said));
  }
  const bool may_pass = response.status == 429 || response.status >= 500;
  return Error(may_pass ? Code::kUnavailable : Code::kUnknown, fmt::format("it answered /v2/ with {}", said));
}

}  // namespace

Status CheckLogin(HttpTransport& transport, const std::string& domain, const RegistryOptions& options,
                  const CancelToken& cancel) {
  return Check(transport, domain, options, cancel).In("registry " + domain);
}

}  // namespace varve
