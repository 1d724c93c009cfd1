#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cached/base/clock.h"
#include "cached/base/mutex.h"
#include "cached/base/result.h"
#include "cached/http/message.h"
#include "cached/server/v2/passwords.h"

namespace varve::v2 {

enum class Action { kPull, kPush, kDelete };

// Who may do what in repositories that fit one of the patterns ("*" is any number of characters, slashes too).
struct AccessRule {
  std::vector<std::string> repositories;
  std::vector<std::string> users;  // "*": everybody who is known; "anonymous": everybody
  std::vector<Action> actions;
};

struct AccessOptions {
  std::string htpasswd_file;         // empty: no passwords
  bool client_certificates = false;  // TLS asks for one: its common name is a user
  bool anonymous_may_read = false;   // only matters where users are known
  std::vector<std::string> read_only_users;
  std::vector<AccessRule> rules;
};

// Who a request says it comes from, right or not; empty if it does not say.
std::string ClaimedUser(const HttpRequest& request);

// Decides on each request. Without a password file and client certificates nobody is asked who they are, and everybody
// may do everything that no rule forbids. Where a rule's pattern fits a repository, the rules that fit decide alone;
// elsewhere every known user may do everything. A user who may only read never does anything else. Thread-safe.
class Access {
 public:
  static Result<std::unique_ptr<Access>> Create(const AccessOptions& options, Clock& clock);

  // A known name, or "" for nobody. kUnauthenticated for a wrong password, or none where `needs` says so; and
  // kResourceExhausted for an address that guesses: it is told to wait.
  Result<std::string> Authenticate(const HttpRequest& request) EXCLUDES(mutex_);
  // False if Authenticate would hash a password: that takes milliseconds.
  bool IsQuick(const HttpRequest& request) const;
  bool Allows(std::string_view user, std::string_view repository, Action action) const;
  // Whether a request of `user` that is refused might do better with a password.
  bool MightLogIn(std::string_view user) const { return user.empty() && knows_users_; }

  static constexpr std::chrono::seconds kWaitAfterGuesses{60};

 private:
  // Wrong passwords from one address: kGuesses at once, then one in kGuessInterval.
  static constexpr int kGuesses = 10;
  static constexpr std::chrono::seconds kGuessInterval{6};
  static constexpr std::size_t kAddressesMax = 4096;

  Access(const AccessOptions& options, Clock& clock, std::unique_ptr<Passwords> passwords);
  Status CheckGuesses(const std::string& address) EXCLUDES(mutex_);
  void AddGuess(const std::string& address) EXCLUDES(mutex_);

  const AccessOptions options_;
  const bool knows_users_;
  Clock& clock_;
  const std::unique_ptr<Passwords> passwords_;  // null: none
  Mutex mutex_;
  // Until when an address has used up its guesses, as if each took kGuessInterval.
  std::map<std::string, std::chrono::system_clock::time_point> guesses_ GUARDED_BY(mutex_);
};

}  // namespace varve::v2
