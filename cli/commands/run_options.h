#pragma once

#include <CLI/CLI.hpp>

#include "cli/runtime/options.h"

// The options of run and create, by topic. What they fill must outlive the parsing.

namespace varve {

void AddNetworkOptions(CLI::App* command, NetworkOptions& options);

}  // namespace varve
