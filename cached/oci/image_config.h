#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cached/base/bytes.h"
#include "cached/content/digest.h"
#include "cached/oci/platform.h"

namespace varve {

// One line of an image's history (OCI image-spec, config.md); `created` is RFC 3339 text, empty where absent.
struct HistoryEntry {
  std::string created;
  std::string created_by;
  std::string author;
  std::string comment;
  bool empty_layer = false;
};

// What an image says of how to run it. Absent and empty lists are the same thing here; the verbatim bytes keep the
// difference.
struct ContainerConfig {
  std::string user;
  std::vector<std::string> env;  // NAME=value
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  std::string working_dir;
  std::vector<std::string> volumes;        // paths, sorted
  std::vector<std::string> exposed_ports;  // "8080/tcp", sorted
  std::map<std::string, std::string> labels;
  std::string stop_signal;
};

struct ImageConfig {
  std::string created;
  std::string author;
  Platform platform;
  ContainerConfig config;
  std::vector<Digest> diff_ids;  // lowest layer first
  std::vector<HistoryEntry> history;
};

// From the bytes of a config, OCI's or docker's. kInvalidArgument if they are not JSON, rootfs.type is not "layers", or
// a limit (kConfigBytesMax, kLayersMax) is passed. Unknown fields are ignored: keep the bytes verbatim to have them.
inline constexpr std::size_t kConfigBytesMax = 4 << 20;
inline constexpr std::size_t kLayersMax = 512;
Result<ImageConfig> ParseImageConfig(ByteSpan json);

}  // namespace varve
