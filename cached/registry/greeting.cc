#include "cached/registry/greeting.h"

#include <arpa/inet.h>

#include <optional>
#include <vector>

#include "cached/registry/answers.h"

namespace varve {
namespace {

std::string WireHost(const std::string& domain) { return domain == "docker.io" ? "registry-1.docker.io" : domain; }

bool IsLoopback(const std::string& domain) {
  if (domain.starts_with("[::1]")) return true;
  const std::string host = domain.substr(0, domain.find(':'));
  in_addr address{};
  return host == "localhost" || (::inet_pton(AF_INET, host.c_str(), &address) == 1 && host.starts_with("127."));
}

// In the order in which they are tried.
std::vector<std::string> SchemesFor(const std::string& domain, TlsVerification verification) {
  if (IsLoopback(domain)) return {"http", "https"};
  if (verification == TlsVerification::kSkipped) return {"https", "http"};
  return {"https"};
}

}  // namespace

// A TLS server answers plain HTTP with 400, if at all. The error is that of the first scheme which got no answer, or of
// TLS: who gets as far as to a certificate has the right scheme.
Result<Greeting> Greet(HttpTransport& transport, const std::string& domain, const ConnectionOptions& connection,
                       const CancelToken& cancel) {
  std::optional<Error> unanswered;
  for (const std::string& scheme : SchemesFor(domain, connection.tls_verification)) {
    const std::string base_url = scheme + "://" + WireHost(domain);
    const HttpCall request{.url = base_url + "/v2/", .headers = {std::string(kUserAgent)}, .body = {}};
    Bytes body;
    auto response = transport.Send(request, connection, CollectInto(body, kAnswerBytesMax), cancel);
    if (response.ok() && response->status != 400) return Greeting{base_url, *std::move(response)};
    if (response.ok()) continue;
    if (!unanswered || response.error().code() == Code::kFailedPrecondition) unanswered = response.error();
  }
  if (unanswered) return *std::move(unanswered);
  return Error(Code::kUnknown, "it answers /v2/ with status 400: is it a registry?");
}

}  // namespace varve
