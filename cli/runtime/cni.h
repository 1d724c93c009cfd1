#pragma once

#include <string>

#include "cached/base/result.h"
#include "cli/runtime/endpoint.h"

namespace varve {

// Executes the plugins of the Container Network Interface (its spec, version 0.4.0) that connect a container with a
// bridge: "bridge" with "host-local" for the addresses, and "portmap" if ports are published. They are found in
// CNI_PATH or where distributions have them.
class Cni {
 public:
  // kFailedPrecondition says how to get a plugin that is missing.
  static Result<Cni> Find(const Endpoint& endpoint);

  // Connects the container `id`, whose network namespace is at `path`, and fills in what it got. `leases` is
  // host-local's directory. An error leaves parts that Disconnect removes.
  Status Connect(Endpoint& endpoint, const std::string& leases, const std::string& id, const std::string& path) const;
  // Gives back what Connect took: once more, or after half of it, is no error. The namespace need not be there any
  // more.
  Status Disconnect(const Endpoint& endpoint, const std::string& leases, const std::string& id) const;

 private:
  explicit Cni(std::string bridge, std::string portmap) : bridge_(std::move(bridge)), portmap_(std::move(portmap)) {}

  std::string bridge_;   // paths
  std::string portmap_;  // empty: there are no ports
};

}  // namespace varve
