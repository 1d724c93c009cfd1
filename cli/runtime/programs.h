#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cached/base/fd.h"
#include "cached/base/result.h"

namespace varve {

// The path of the program `name` in the first of `directories` ("/a:/b") that has it; empty if none has.
std::string FindIn(std::string_view directories, const std::string& name);
// The path of `name`, from PATH. kFailedPrecondition says how to get it: it is in the Debian package `package`.
Result<std::string> FindProgram(const std::string& name, const std::string& package);

// A program to be started with the caller's PATH, VARVE_ROOT and CNI_PATH, `environment`, and nothing else of its
// environment: runc acts on NOTIFY_SOCKET, LISTEN_FDS and GODEBUG. It starts in the namespaces and working directory of
// the calling thread.
struct Program {
  std::vector<std::string> arguments;  // the first is its path
  std::vector<std::string> environment = {};
  // Ours and what they are there; of the standard ones those that are not named are /dev/null, all others are closed.
  std::vector<std::pair<int, int>> descriptors = {};
};
Result<pid_t> Spawn(const Program& program);
inline constexpr int kExitSignalBase = 128;
Result<int> AwaitExit(pid_t pid);  // kExitSignalBase + the signal that ended it

struct Pipe {
  UniqueFd reader;
  UniqueFd writer;

  static Result<Pipe> Open();  // both close on exec
};

struct Said {
  int exit_code;
  std::string text;  // standard output and error, the first kSaidBytesMax of them
};
inline constexpr std::size_t kSaidBytesMax = 1 << 20;

// Runs a program to its end, and until nobody can write to its output any more. Of `descriptors`, standard output is
// ours to set, and standard error where it is not named.
Result<Said> RunProgram(Program program);

}  // namespace varve
