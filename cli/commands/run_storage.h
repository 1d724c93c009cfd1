#pragma once

#include <CLI/CLI.hpp>

#include "cli/runtime/storage.h"

namespace varve {

// The options of run and create that say what a container mounts; `storage` outlives `command`.
void AddStorageOptions(CLI::App* command, StorageOptions& storage);

}  // namespace varve
