#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cached/base/result.h"
#include "cli/runtime/container.h"

namespace varve {

// docker's exit codes for what is not the container's own.
inline constexpr int kExitVarveFailed = 125;
inline constexpr int kExitCannotExecute = 126;
inline constexpr int kExitCommandNotFound = 127;
inline constexpr int kExitSignalBase = 128;

// The path of runc, from PATH. kNotFound says how to get it.
Result<std::string> FindRunc();

// Runs the bundle in `directory` by `runc` to its end and returns the exit code; where the container did not start,
// runc has said why on standard error, and the code is one of docker's. Call it once, on a thread of
// InPrivateNamespaces. Signals are forwarded meanwhile.
Result<int> RunBundle(const std::string& runc, const std::string& directory, const std::string& id,
                      Stdin standard_input);

// The exit code for a container that did not start, from runc's log; none if the log does not say so.
std::optional<int> StartFailure(std::string_view log);

}  // namespace varve
