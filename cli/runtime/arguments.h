#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cached/base/result.h"
#include "cached/oci/image_config.h"

namespace varve {

// What follows the entrypoint: `args` or, without any, the image's cmd, which goes with the image's entrypoint only.
std::vector<std::string> CommandArguments(const ContainerConfig& image, const std::optional<std::string>& entrypoint,
                                          const std::vector<std::string>& args);

// What a container executes, by docker's rules: the image's entrypoint, then its CommandArguments. `entrypoint`
// replaces the image's; empty text means no entrypoint. kInvalidArgument if nothing is left to run.
Result<std::vector<std::string>> ContainerArguments(const ContainerConfig& image,
                                                    const std::optional<std::string>& entrypoint,
                                                    const std::vector<std::string>& args);

// Where it starts: `workdir`, else the image's, else "/". kInvalidArgument if `workdir` is relative.
Result<std::string> ContainerWorkingDirectory(const ContainerConfig& image, const std::string& workdir);

}  // namespace varve
