#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "cached/base/fd.h"
#include "cached/base/mutex.h"

namespace varve {

// A server on 127.0.0.1 that answers each connection's one request with prepared bytes: for what no real server can be
// made to do.
class LoopbackServer {
 public:
  enum class Then { kClose, kWaitForTheClient };
  struct Reply {
    std::string bytes;
    Then then = Then::kClose;
  };
  explicit LoopbackServer(std::function<Reply(const std::string& request)> answer);
  ~LoopbackServer();

  std::string url() const;
  std::vector<std::string> requests() EXCLUDES(mutex_);  // heads, with bodies in chunks; in order

 private:
  void Serve();

  const std::function<Reply(const std::string&)> answer_;
  UniqueFd listener_;
  int port_ = 0;
  Mutex mutex_;
  std::vector<std::string> requests_ GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace varve
