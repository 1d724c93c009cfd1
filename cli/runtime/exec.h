#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cached/base/result.h"
#include "cli/runtime/attachment.h"
#include "cli/runtime/room.h"

namespace varve {

struct ExecOptions {
  std::vector<std::string> args;
  std::vector<std::string> env;        // environment.h, on top of the container's
  std::optional<std::string> user;     // user.h, instead of the container's
  std::optional<std::string> workdir;  // absolute, instead of the container's
  Terminal terminal = Terminal::kNone;
  AttachOptions attach;
  enum class Wait { kForItsEnd, kForItsStart } wait = Wait::kForItsEnd;
};

// Runs a command in a container that runs, with its namespaces, cgroup, capabilities and environment, by `runc exec`.
// Returns its exit code, or docker's 126 or 127 where it could not be executed and standard error says why; with
// Wait::kForItsStart 0 once it runs, with nothing on its standard streams. On a terminal conmon holds it, and 0 is
// returned once the caller has detached. kFailedPrecondition if the container does not run.
Result<int> ExecInContainer(const ContainerRoom& room, const Container& container, const ExecOptions& options);

// The environment that its first process is started with.
Result<std::vector<std::string>> EnvironmentOf(const ContainerRoom& room, const std::string& id);

}  // namespace varve
