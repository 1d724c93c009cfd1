#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cached/base/mutex.h"
#include "cached/registry/http_transport.h"

namespace varve {

// What the caller may show to a registry; all empty: nothing.
struct Credentials {
  std::string username;
  std::string password;
  std::string identity_token;  // in place of a password (OAuth2)

  bool empty() const { return username.empty() && identity_token.empty(); }
};

enum class Encryption { kNone, kTls };

// Answers a registry's WWW-Authenticate for one repository: Basic, or a Bearer token that it gets from the registry's
// token server (distribution/docs/spec/auth) and keeps until it is refused. Thread-safe.
class Authenticator {
 public:
  // `transport` and `connection` must outlive it. `registry` is how the registry itself is spoken to: one that is
  // encrypted cannot send the credentials to a token server that is not. `scope` ("repository:x:pull"; empty for a
  // login) is asked for always, and with it every scope that a challenge has named: requests with different needs share
  // one token.
  Authenticator(HttpTransport& transport, const ConnectionOptions& connection, Credentials credentials,
                Encryption registry, const std::string& scope);

  // The value of the Authorization header; empty: none is needed, or none is there yet.
  std::string Authorization() EXCLUDES(mutex_);
  // After a 401 to a request that bore `refused`: gets another authorization. kUnauthenticated where there is none to
  // be had, kUnavailable while the token server cannot answer.
  Status Renew(std::string_view www_authenticate, const std::string& refused, const CancelToken& cancel)
      EXCLUDES(mutex_);

 private:
  Result<std::string> FetchToken(const std::map<std::string, std::string>& challenge, const CancelToken& cancel)
      EXCLUDES(mutex_);
  std::vector<std::string> ScopesWith(std::string_view challenged) EXCLUDES(mutex_);

  HttpTransport& transport_;
  const ConnectionOptions& connection_;
  const Credentials credentials_;
  const Encryption registry_;
  Mutex mutex_;
  std::vector<std::string> scopes_ GUARDED_BY(mutex_);
  std::string authorization_ GUARDED_BY(mutex_);
};

}  // namespace varve
