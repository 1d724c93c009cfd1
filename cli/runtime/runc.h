#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cached/base/result.h"
#include "cli/runtime/options.h"

namespace varve {

// docker's exit codes for what is not the container's own.
inline constexpr int kExitVarveFailed = 125;
inline constexpr int kExitCannotExecute = 126;
inline constexpr int kExitCommandNotFound = 127;

// The path of runc, from PATH. kFailedPrecondition says how to get it.
Result<std::string> FindRunc();

struct Bundle {
  std::string directory;
  std::string id;
  Stdin standard_input = Stdin::kEmpty;
};

// Runs a bundle by `runc` to its end and returns the exit code; where the container did not start, runc has said why on
// standard error, and the code is one of docker's. `started` is told the pid of runc, with which the container ends,
// before runc does anything; its error ends it. Call it once, on a thread of InPrivateNamespaces. Signals are forwarded
// meanwhile.
Result<int> RunBundle(const std::string& runc, const Bundle& bundle, const std::function<Status(pid_t)>& started);

// The exit code for a container that did not start, from what runc said; none if it does not say so.
std::optional<int> StartFailure(std::string_view log);
// The error for a container that did not start, from what runc said: its reason without the wrapping, and the code that
// StartExitCode turns into docker's exit code.
Error StartError(const std::string& said);
int StartExitCode(const Error& error);

}  // namespace varve
