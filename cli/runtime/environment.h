#pragma once

#include <string>
#include <vector>

#include "cached/base/result.h"

namespace varve {

inline constexpr std::uint64_t kEnvFileBytesMax = 1 << 20;

// The "NAME=value" lines of a container's environment, sorted by name. Later sources win: docker's default PATH,
// HOSTNAME, the image's (`image`, whose malformed entries are skipped), the lines of `env_files`, then `variables`.
// HOME is the runtime's to set, from passwd.
//  - a variable is "NAME=value", or "NAME": our own environment's value; one that we do not have is removed from the
//    container's;
//  - a line of an env file is the same without quoting, blanks in front and '#' comments left out; "NAME" that we do
//    not have is skipped.
// kInvalidArgument for an empty name or, in a file, one with blanks.
Result<std::vector<std::string>> ContainerEnvironment(const std::string& hostname,
                                                      const std::vector<std::string>& image,
                                                      const std::vector<std::string>& env_files,
                                                      const std::vector<std::string>& variables);

// The lines of `base` with `variables` on top, by the same rules.
Result<std::vector<std::string>> ExtendedEnvironment(const std::vector<std::string>& base,
                                                     const std::vector<std::string>& variables);

}  // namespace varve
