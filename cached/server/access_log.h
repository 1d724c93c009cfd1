#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "cached/base/clock.h"
#include "cached/base/fd.h"
#include "cached/base/mutex.h"
#include "cached/base/watched_file.h"
#include "cached/http/handler.h"

namespace varve {

// A line for each request that the registry has answered, appended to a file:
//   TIME REQUEST-ID ADDRESS USER "METHOD PATH" STATUS RECEIVED-BYTES SENT-BYTES MILLISECONDS "USER-AGENT"
// What a client chose is escaped; queries and Authorization are not written. A file that was moved away, as logrotate
// does, is made anew within a second. Thread-safe.
class AccessLog {
 public:
  static Result<std::unique_ptr<AccessLog>> Open(const std::string& path, Clock& clock);

  void Add(const HttpExchangeReport& report) EXCLUDES(mutex_);

 private:
  AccessLog(std::string path, Clock& clock) : watched_(std::move(path), clock) {}
  Status Reopen() EXCLUDES(mutex_);

  WatchedFile watched_;
  Mutex mutex_;
  std::shared_ptr<const UniqueFd> file_ GUARDED_BY(mutex_);
};

}  // namespace varve
