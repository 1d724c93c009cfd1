#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cached/base/fd.h"
#include "cached/base/result.h"
#include "cached/oci/image_config.h"

namespace varve {

enum class Network {
  kHost,  // the caller's own
  kNone,  // loopback only
};
enum class RootAccess { kReadWrite, kReadOnly };
enum class Stdin {
  kEmpty,   // /dev/null
  kPassed,  // ours
};

// What `varve run` was asked for; texts as they were given, with docker's syntax. Empty: not given.
struct RunOptions {
  std::string name;
  std::string hostname;
  std::string user;     // user.h
  std::string workdir;  // arguments.h
  std::optional<std::string> entrypoint;
  std::vector<std::string> args;
  std::vector<std::string> env;        // environment.h
  std::vector<std::string> env_files;  // paths
  std::vector<std::string> volumes;    // mounts.h
  std::vector<std::string> tmpfs;      // mounts.h
  std::vector<std::string> cap_add;    // capabilities.h
  std::vector<std::string> cap_drop;
  std::vector<std::string> labels;  // "KEY" or "KEY=VALUE"
  Network network = Network::kHost;
  RootAccess root_access = RootAccess::kReadWrite;
  Stdin standard_input = Stdin::kEmpty;
};

struct RunImage {
  ImageConfig config;
  UniqueFd root;  // a detached mount (open_tree with OPEN_TREE_CLONE) of the image's root; never written to
};

// Runs a container in the foreground and returns its exit code: its own, 128 + the signal that ended it, or docker's
// 125, 126 or 127 where runc could not start it and has said why on standard error. An error is for everything that
// failed before that; it exits with 125. Standard output and error are ours, signals are forwarded. What the container
// wrote outside its volumes is thrown away; below `state_root` nothing is left, and what killed runs left is swept.
// Needs root and runc. One at a time in a process.
Result<int> RunContainer(const RunOptions& options, RunImage image, const std::string& state_root);

}  // namespace varve
