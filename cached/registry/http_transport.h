#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cached/base/bytes.h"
#include "cached/base/cancel.h"

namespace varve {

enum class TlsVerification { kRequired, kSkipped };

// How to reach a host. All of it comes from the caller; nothing is taken from the environment of this process.
struct ConnectionOptions {
  TlsVerification tls_verification = TlsVerification::kRequired;
  std::string ca_pem;        // authorities in place of the system's (SSL_CERT_FILE, SSL_CERT_DIR); empty: the system's
  std::string extra_ca_pem;  // authorities beside those (certs.d)
  std::string client_certificate_pem;  // what to show to a server that asks; empty: nothing
  std::string client_key_pem;
  std::string http_proxy;  // for http:// URLs; empty: none
  std::string https_proxy;
  std::string no_proxy;  // hosts without a proxy, as in the environment variable
};

enum class HttpVerb { kGet, kHead, kPost, kPut, kPatch, kDelete };

// Gives a body piece by piece: fills some of `into` and says how much, 0 at the end.
using HttpBodySource = std::function<Result<std::size_t>(std::span<std::byte> into)>;

struct HttpCall {
  HttpVerb method = HttpVerb::kGet;
  std::string url;
  std::vector<std::string> headers = {};  // NOLINT(readability-redundant-member-init): "Name: value"
  std::string body = {};                  // NOLINT(readability-redundant-member-init): of one that is no GET or HEAD
  HttpBodySource body_source = {};        // NOLINT(readability-redundant-member-init): in place of `body`
};

struct HttpAnswer {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case; repeated ones joined by ", "

  bool succeeded() const { return status / 100 == 2; }
  std::string_view Header(const std::string& name) const {
    const auto at = headers.find(name);
    return at == headers.end() ? std::string_view() : at->second;
  }
};

// The network seam. Thread-safe.
class HttpTransport {
 public:
  // Given the head of the response with each piece of its body; an error ends the transfer and is returned by Send.
  using BodySink = std::function<Status(const HttpAnswer& head, ByteSpan piece)>;

  virtual ~HttpTransport() = default;
  // Sends and waits for the whole response, whatever its status. Redirects of GET and HEAD are followed, without
  // Authorization to another host. An error of the body's source ends the transfer and is returned as it is. Errors
  // name the host: kUnavailable where trying again may help (refused, unresolved, broken off, stalled),
  // kFailedPrecondition where TLS or its certificates are at fault, kCancelled.
  virtual Result<HttpAnswer> Send(const HttpCall& request, const ConnectionOptions& connection, const BodySink& sink,
                                  const CancelToken& cancel) = 0;
};

// Appends bodies to `body`, which must outlive it; kResourceExhausted beyond `most_bytes`.
HttpTransport::BodySink CollectInto(Bytes& body, std::size_t most_bytes);

}  // namespace varve
