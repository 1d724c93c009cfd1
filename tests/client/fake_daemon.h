#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cached/client/mounts_client.h"

namespace varve {

// The daemon's Mounts service on a unix socket: answers what a double answers, and drives the driver that attends.
class FakeDaemon {
 public:
  // `answers` must outlive the daemon.
  FakeDaemon(const std::string& socket_path, Mounts& answers);
  // Breaks all calls off, as a killed daemon does.
  ~FakeDaemon();

  // Each waits for a driver's event of its kind.
  std::vector<std::string> AwaitServing();
  std::vector<std::string> Release(const std::vector<ChainId>& images);
  void ClosePacks(const std::vector<std::uint32_t>& packs);

 private:
  class Service;
  std::unique_ptr<Service> service_;
};

}  // namespace varve
