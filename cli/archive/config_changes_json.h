#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cached/base/result.h"

namespace varve {

// Changes `config`, the "config" of an image's, as instructions of a Dockerfile would that change nothing else: CMD,
// ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR, in docker's forms; variables are not
// expanded. kInvalidArgument names the change.
Status ApplyConfigChanges(const std::vector<std::string>& changes, nlohmann::ordered_json& config);

}  // namespace varve
