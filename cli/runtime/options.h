#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/runtime/limits.h"
#include "cli/runtime/network_options.h"
#include "cli/runtime/security.h"
#include "cli/runtime/storage.h"

namespace varve {

enum class RootAccess { kReadWrite, kReadOnly };
enum class Stdin {
  kEmpty,   // /dev/null
  kPassed,  // ours; without a terminal it ends when whoever attached first has no more
  kOpen,    // whoever attaches may write to it; it does not end
};
enum class Terminal { kNone, kAllocated };
enum class FirstProcess {
  kCommand,
  kInit,  // a small init, which reaps what the command leaves and hands signals on to it
};
enum class AtEnd { kKept, kRemoved };  // what becomes of a container that has ended

// Whether a container that has ended by itself is started again: after a failure only, `most_times` or without end.
struct RestartPolicy {
  bool on_failure = false;
  std::optional<std::uint32_t> most_times;
};

// What `varve run` was asked for; texts as they were given, with docker's syntax. Empty: not given.
struct RunOptions {
  std::string name;
  std::string hostname;
  std::string user;     // user.h
  std::string workdir;  // arguments.h
  std::optional<std::string> entrypoint;
  std::vector<std::string> args;       // once the container is made, the image's where there were none
  std::vector<std::string> env;        // environment.h
  std::vector<std::string> env_files;  // paths
  StorageOptions storage;
  std::vector<std::string> cap_add;  // capabilities.h
  std::vector<std::string> cap_drop;
  std::vector<std::string> labels;  // "KEY" or "KEY=VALUE"; once the container is made, the image's come first
  NetworkOptions network;
  RootAccess root_access = RootAccess::kReadWrite;
  Stdin standard_input = Stdin::kEmpty;
  Terminal terminal = Terminal::kNone;
  FirstProcess first_process = FirstProcess::kCommand;
  AtEnd at_end = AtEnd::kKept;
  RestartPolicy restart;
  LimitOptions limits;
  SecurityOptions security;
  std::string stop_signal;                            // signals.h
  std::optional<std::uint32_t> stop_timeout_seconds;  // without: kStopTimeout
};

}  // namespace varve
