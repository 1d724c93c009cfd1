#pragma once

#include <CLI/CLI.hpp>

#include "cli/runtime/limits.h"

namespace varve {

// The options of run and create that say how much a container may use; `limits` outlives `command`.
void AddLimitOptions(CLI::App* command, LimitOptions& limits);

}  // namespace varve
