#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "cached/base/clock.h"
#include "cached/base/log.h"
#include "cached/base/mutex.h"
#include "cached/base/watched_file.h"
#include "cached/content/digest.h"

namespace varve::v2 {

// The users of an htpasswd file: lines "USER:HASH", hashed by bcrypt (htpasswd -B) or by what else crypt(3) makes. Read
// again when it changes; a file that is broken then is logged, and what it said before still holds. Thread-safe.
class Passwords {
 public:
  // kInvalidArgument names the line that is none.
  static Result<std::unique_ptr<Passwords>> Load(const std::string& path, Clock& clock);

  // In time that does not tell whether there is such a user.
  bool Check(std::string_view user, std::string_view password) EXCLUDES(mutex_);
  // Whether Check need not hash: this pair was right before.
  bool IsKnown(std::string_view user, std::string_view password) EXCLUDES(mutex_);

 private:
  using Users = std::unordered_map<std::string, std::string>;  // to hashes
  static constexpr std::size_t kKnownMax = 4096;

  Passwords(const std::string& path, Clock& clock) : file_(path, clock) {}
  static Result<Users> Read(const std::string& path);
  void Refresh() EXCLUDES(mutex_);

  WatchedFile file_;
  LogLimit log_limit_;
  Mutex mutex_;
  std::shared_ptr<const Users> users_ GUARDED_BY(mutex_);
  std::set<Digest> known_ GUARDED_BY(mutex_);  // of user, hash and password that fitted
};

}  // namespace varve::v2
