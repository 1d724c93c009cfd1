#pragma once

#include <string>
#include <vector>

#include "cached/base/result.h"
#include "cli/runtime/options.h"
#include "cli/runtime/process.h"

namespace varve {

// The most that is kept of what a container says. conmon begins a new log when one is full, so that at least what was
// said since is there.
inline constexpr std::uint64_t kContainerLogBytesMax = 16 << 20;

struct ConmonOptions {
  std::string runc;
  std::string id;
  std::string name;
  std::string bundle;
  std::string log;
  Stdin standard_input = Stdin::kEmpty;
  Terminal terminal = Terminal::kNone;
  AtEnd at_end = AtEnd::kKept;            // of its log: synced or not
  std::vector<std::string> exit_command;  // with arguments: runs when the container has ended
};

struct Held {
  ProcessId process;  // the container's first
  ProcessId conmon;
};

// Has conmon create the container of a bundle, by `runc create`, and hold it: it stays in the caller's mount namespace
// and outlives the caller. The container waits for `runc start`. An error is what runc said; then nothing is held.
Result<Held> HoldByConmon(const ConmonOptions& options);

}  // namespace varve
