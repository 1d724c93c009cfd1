#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cached/base/result.h"
#include "cli/runtime/devices.h"
#include "cli/runtime/limits.h"
#include "cli/runtime/mounts.h"
#include "cli/runtime/options.h"
#include "cli/runtime/security.h"
#include "cli/runtime/user.h"

namespace varve {

// Not in the image's own directories, where it would be written into the upper.
inline constexpr const char* kInitInside = "/dev/init";

// All that distinguishes one container's OCI runtime configuration from another's.
struct ContainerSpec {
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::string cwd = "/";
  ContainerUser user;
  std::vector<std::string> capabilities;  // in force for root; the bound of what any other user can gain
  std::string hostname;
  std::vector<Mount> mounts;
  std::vector<std::pair<std::string, std::string>> labels;
  RootAccess root_access = RootAccess::kReadWrite;
  NetworkKind network = NetworkKind::kHost;
  std::string network_namespace;  // the path of one that is there; without, runc makes one for kNone
  Terminal terminal = Terminal::kNone;
  FirstProcess first_process = FirstProcess::kCommand;  // kInit: what is mounted at kInitInside
  Security security;
  Privileged privileged = Privileged::kNo;  // every device may be used
  std::vector<Device> devices;
  Limits limits;
};

// config.json (OCI runtime-spec 1.0.2), with docker's defaults (moby daemon/pkg/oci/defaults.go) but for: no time
// namespace (runc 1.1 does not know it), no rlimits unless asked for (raising one needs CAP_SYS_RESOURCE). The root is
// rootfs/ in the bundle. kInvalidArgument if a text is not UTF-8, which JSON cannot carry.
Result<std::string> OciRuntimeConfig(const ContainerSpec& spec, const std::string& id);

}  // namespace varve
