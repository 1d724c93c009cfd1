#include "cached/server/v2/access.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace varve::v2 {
namespace {

constexpr std::string_view kAnonymous = "anonymous";

bool IsOneOf(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// `pattern` with "*" for any number of characters: where the rest does not fit, the last "*" takes one more.
bool Fits(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t after_star = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      after_star = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++after_star;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

struct Credentials {
  std::string user;
  std::string password;
};

// Of "Basic BASE64"; none for anything else.
std::optional<Credentials> CredentialsIn(const HttpRequest& request) {
  const auto field = request.fields.Find("Authorization");
  constexpr std::string_view kScheme = "basic ";
  if (!field || field->size() < kScheme.size() ||
      !std::ranges::equal(field->substr(0, kScheme.size()), kScheme,
                          [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; }))
    return std::nullopt;
  auto text = FromBase64(field->substr(kScheme.size()));
  if (!text.ok()) return std::nullopt;
  const auto colon = text->find(':');
  if (colon == std::string::npos) return std::nullopt;
  Credentials credentials{text->substr(0, colon), text->substr(colon + 1)};
  if (credentials.password.find('\0') != std::string::npos) return std::nullopt;  // crypt(3) would not see the rest
  return credentials;
}

}  // namespace

std::string ClaimedUser(const HttpRequest& request) {
  if (!request.client_name.empty()) return request.client_name;
  const std::optional<Credentials> given = CredentialsIn(request);
  return given ? given->user : "";
}

Result<std::unique_ptr<Access>> Access::Create(const AccessOptions& options, Clock& clock) {
  std::unique_ptr<Passwords> passwords;
  if (!options.htpasswd_file.empty()) {
    VARVE_ASSIGN_OR_RETURN(passwords, Passwords::Load(options.htpasswd_file, clock));
  }
  return std::unique_ptr<Access>(new Access(options, clock, std::move(passwords)));
}

Access::Access(const AccessOptions& options, Clock& clock, std::unique_ptr<Passwords> passwords)
    : options_(options),
      knows_users_(passwords != nullptr || options.client_certificates),
      clock_(clock),
      passwords_(std::move(passwords)) {}

Result<std::string> Access::Authenticate(const HttpRequest& request) {
  if (!request.client_name.empty()) return request.client_name;
  const std::optional<Credentials> given = CredentialsIn(request);
  if (given && given->user.empty() && given->password.empty()) return std::string();  // so skopeo says that it has none
  if (!given || passwords_ == nullptr) {
    if (knows_users_ && request.fields.Find("Authorization"))
      return Error(Code::kUnauthenticated, "authentication required: a user and a password (Basic)");
    return std::string();
  }
  // Who was let in before is let in however often somebody else at that address was wrong.
  if (!passwords_->IsKnown(given->user, given->password)) {
    VARVE_RETURN_IF_ERROR(CheckGuesses(request.remote));
    if (!passwords_->Check(given->user, given->password)) {
      AddGuess(request.remote);
      return Error(Code::kUnauthenticated, "authentication failed: unknown user or wrong password");
    }
  }
  return given->user;
}

bool Access::IsQuick(const HttpRequest& request) const {
  if (passwords_ == nullptr) return true;
  const std::optional<Credentials> given = CredentialsIn(request);
  return !given || passwords_->IsKnown(given->user, given->password);
}

bool Access::Allows(std::string_view user, std::string_view repository, Action action) const {
  if (action != Action::kPull && IsOneOf(options_.read_only_users, user)) return false;
  bool ruled = false;
  for (const AccessRule& rule : options_.rules) {
    if (std::ranges::none_of(rule.repositories, [&](const std::string& pattern) { return Fits(pattern, repository); }))
      continue;
    ruled = true;
    const bool named =
        IsOneOf(rule.users, kAnonymous) || (!user.empty() && (IsOneOf(rule.users, user) || IsOneOf(rule.users, "*")));
    if (named && std::ranges::find(rule.actions, action) != rule.actions.end()) return true;
  }
  if (ruled) return false;
  if (!user.empty() || !knows_users_) return true;
  return options_.anonymous_may_read && action == Action::kPull;
}

Status Access::CheckGuesses(const std::string& address) {
  const MutexLock lock(mutex_);
  const auto found = guesses_.find(address);
  if (found == guesses_.end() || found->second - clock_.Now() < kGuesses * kGuessInterval) return Ok();
  return Error(Code::kResourceExhausted, "too many wrong passwords from this address: wait a minute");
}

void Access::AddGuess(const std::string& address) {
  const MutexLock lock(mutex_);
  const auto now = clock_.Now();
  if (guesses_.size() >= kAddressesMax) std::erase_if(guesses_, [&](const auto& entry) { return entry.second <= now; });
  if (guesses_.size() >= kAddressesMax) {
    guesses_.erase(std::ranges::min_element(guesses_, {}, [](const auto& entry) { return entry.second; }));
  }
  auto& until = guesses_.try_emplace(address, now).first->second;
  until = std::max(until, now) + kGuessInterval;
}

}  // namespace varve::v2
