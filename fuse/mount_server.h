#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "cached/base/fd.h"
#include "cached/base/thread_pool.h"
#include "cached/client/driver_protocol.h"

namespace varve {

// Answers commands that ask for mounts (cached/client/driver_protocol.h).
class MountServer {
 public:
  // Called by several threads at once.
  using Handler = std::function<Result<DriverReply>(const DriverRequest&)>;

  // Listens when it returns.
  static Result<std::unique_ptr<MountServer>> Start(const std::string& socket_path, Handler handler);
  // Removes the socket; requests that were accepted are answered.
  ~MountServer();

 private:
  MountServer(std::string socket_path, UniqueFd listening, Handler handler);
  void AcceptAll();
  void Answer(int connection) const;

  const std::string socket_path_;
  const UniqueFd listening_;
  const Handler handler_;
  ThreadPool pool_;
  std::thread accepting_;  // last: it uses all of the above
};

}  // namespace varve
