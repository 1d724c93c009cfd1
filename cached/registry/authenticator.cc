#include "cached/registry/authenticator.h"

#include <fmt/core.h>

#include <algorithm>

#include "cached/base/bytes.h"
#include "cached/registry/answers.h"
#include "cached/registry/challenge.h"

namespace varve {
namespace {

constexpr std::size_t kScopesMax = 32;

std::string PercentEncoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    encoded += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

std::string BasicAuthorization(const Credentials& credentials) {
  return "Basic " + ToBase64(credentials.username + ":" + credentials.password);
}

std::string ParameterOr(const std::map<std::string, std::string>& parameters, const char* name,
                        const std::string& absent) {
  const auto at = parameters.find(name);
  return at == parameters.end() ? absent : at->second;
}

// The token server's address and question (distribution/docs/spec/auth: token.md, and oauth.md for identity tokens).
HttpCall TokenRequest(const std::string& realm, const std::string& service, const std::vector<std::string>& scopes,
                      const Credentials& credentials) {
  const bool exchanges = !credentials.identity_token.empty();
  std::string question = "service=" + PercentEncoded(service);
  // OAuth2 has them all in one parameter, docker's own question one in each.
  for (const std::string& scope : scopes) {
    question += exchanges && &scope != &scopes.front() ? "%20" : "&scope=";
    question += PercentEncoded(scope);
  }
  HttpCall request;
  if (exchanges) {
    request.method = HttpVerb::kPost;
    request.url = realm;
    request.body = fmt::format("grant_type=refresh_token&client_id=varve&refresh_token={}&{}",
                               PercentEncoded(credentials.identity_token), question);
    return request;
  }
  request.url = fmt::format("{}{}{}", realm, realm.find('?') == std::string::npos ? '?' : '&', question);
  if (!credentials.username.empty()) request.headers.push_back("Authorization: " + BasicAuthorization(credentials));
  return request;
}

}  // namespace

Authenticator::Authenticator(HttpTransport& transport, const ConnectionOptions& connection, Credentials credentials,
                             Encryption registry, const std::string& scope)
    : transport_(transport),
      connection_(connection),
      credentials_(std::move(credentials)),
      registry_(registry),
      scopes_(scope.empty() ? 0 : 1, scope) {}

std::string Authenticator::Authorization() {
  MutexLock lock(mutex_);
  return authorization_;
}

Status Authenticator::Renew(std::string_view www_authenticate, const std::string& refused, const CancelToken& cancel) {
  if (Authorization() != refused) return Ok();  // another thread was faster
  const auto challenges = ParseChallenges(www_authenticate);
  const auto bearer = std::ranges::find(challenges, "bearer", &Challenge::scheme);
  const auto basic = std::ranges::find(challenges, "basic", &Challenge::scheme);
  std::string authorization;
  if (bearer != challenges.end()) {
    VARVE_ASSIGN_OR_RETURN(const std::string token, FetchToken(bearer->parameters, cancel));
    authorization = "Bearer " + token;
  } else if (basic != challenges.end() && !credentials_.username.empty() && credentials_.identity_token.empty()) {
    authorization = BasicAuthorization(credentials_);
    if (authorization == refused) return Error(Code::kUnauthenticated, "user name or password refused");
  } else {
    return Error(Code::kUnauthenticated, "it asks for credentials");
  }
  MutexLock lock(mutex_);
  authorization_ = std::move(authorization);
  return Ok();
}

std::vector<std::string> Authenticator::ScopesWith(std::string_view challenged) {
  MutexLock lock(mutex_);
  while (!challenged.empty() && scopes_.size() < kScopesMax) {
    const std::string scope(challenged.substr(0, challenged.find(' ')));
    challenged.remove_prefix(std::min(challenged.size(), scope.size() + 1));
    if (!scope.empty() && std::ranges::find(scopes_, scope) == scopes_.end()) scopes_.push_back(scope);
  }
  return scopes_;
}

Result<std::string> Authenticator::FetchToken(const std::map<std::string, std::string>& challenge,
                                              const CancelToken& cancel) {
  const std::string realm = ParameterOr(challenge, "realm", "");
  const bool encrypted = realm.starts_with("https://");
  if (!encrypted && !realm.starts_with("http://")) {
    return Error(Code::kUnauthenticated, fmt::format("it names no token server (realm \"{}\")", realm.substr(0, 200)));
  }
  if (!encrypted && registry_ == Encryption::kTls && !credentials_.empty()) {
    return Error(Code::kUnauthenticated,
                 fmt::format("its token server {} would get the credentials unencrypted", realm.substr(0, 200)));
  }
  const HttpCall request = TokenRequest(realm, ParameterOr(challenge, "service", ""),
                                        ScopesWith(ParameterOr(challenge, "scope", "")), credentials_);
  Bytes body;
  VARVE_ASSIGN_OR_RETURN(
      const HttpAnswer response,
      transport_.Send(request, connection_, CollectInto(body, kAnswerBytesMax), cancel).In("token server"));
  const std::string said = ParseErrorAnswer(body);
  if (response.status == 429 || response.status >= 500) {
    return Error(Code::kUnavailable, fmt::format("token server: status {} {}", response.status, said));
  }
  if (response.status != 200) {
    return Error(Code::kUnauthenticated, fmt::format("token server: status {} {}", response.status, said));
  }
  return ParseTokenAnswer(body);
}

}  // namespace varve
