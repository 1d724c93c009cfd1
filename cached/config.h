#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cached/base/log.h"
#include "cached/base/result.h"
#include "cached/base/root_paths.h"
#include "cached/server/server.h"

namespace varve {

// What cached.toml says (docs/man/cached.toml.5), as the options of what it configures; the defaults are theirs.
struct DaemonConfig {
  ServerOptions server;
  LogLevel log_level = LogLevel::kInfo;
};

// The files below /etc/varve and the root, in this order and as far as they are there; or `given`, if it is not empty,
// which must be there. A key in a later file replaces that of an earlier one. Errors name file, line and key.
Result<DaemonConfig> LoadConfig(const RootPaths& paths, const std::string& given);

// Takes over what `text`, the content of the file `path`, says. kInvalidArgument for a syntax error, an unknown key, a
// wrong type or a value out of range; `config` is then half changed.
Status ApplyConfig(const std::string& path, std::string_view text, DaemonConfig& config);

// Every key as "table.name", and what it is for in one sentence.
struct ConfigKey {
  std::string name;
  std::string about;
};
std::vector<ConfigKey> ConfigKeys();

}  // namespace varve
