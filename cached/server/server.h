#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cached/base/result.h"
#include "cached/base/root_paths.h"
#include "cached/server/registry_endpoint.h"
#include "cached/store/collector.h"
#include "cached/store/store.h"
#include "cached/transfer/install.h"

namespace varve {

struct ServerOptions {
  StoreOptions store;
  InstallOptions install;
  HostingOptions hosting;
  std::chrono::nanoseconds push_grace = CollectOptions().push_grace;
  std::uint64_t max_store_bytes = 0;      // 0: nothing is evicted
  std::optional<gid_t> listen_group;      // whose members may use the socket, beside root
  std::vector<std::string> config_files;  // that these options come from, for the status
  std::chrono::seconds stop_grace{10};    // for running calls; then they are cancelled
};

// Opens the store of `paths` and serves it on its unix socket until `stop` (or a client) asks to stop. Returns once all
// is down. `stop_fd` becomes readable when the process is to end.
Status Serve(const RootPaths& paths, const ServerOptions& options, int stop_fd);

}  // namespace varve
