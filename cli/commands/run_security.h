#pragma once

#include <CLI/CLI.hpp>

#include "cli/runtime/security.h"

namespace varve {

// The options of run and create that say what a container may do to the machine; `security` outlives `command`.
void AddSecurityOptions(CLI::App* command, SecurityOptions& security);

}  // namespace varve
