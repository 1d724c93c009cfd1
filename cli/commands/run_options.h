#pragma once

#include <CLI/CLI.hpp>

#include "cli/runtime/options.h"

// The options of run and create, by topic. What they fill must outlive the parsing.

namespace varve {

void AddLimitOptions(CLI::App* command, LimitOptions& limits);
void AddNetworkOptions(CLI::App* command, NetworkOptions& options);
// Says on standard error what of them has no effect, as docker does.
void WarnOfNetworkOptions(const NetworkOptions& options);
void AddSecurityOptions(CLI::App* command, SecurityOptions& security);
void AddStorageOptions(CLI::App* command, StorageOptions& storage);

}  // namespace varve
