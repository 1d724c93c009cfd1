#pragma once

#include <string>
#include <vector>

namespace varve {

// A mount, as a process sees it in its mount namespace (proc_pid_mountinfo(5)).
struct MountLine {
  std::string root;  // in its file system
  std::string directory;
  std::string options;
  std::string type;
  std::string source;
  std::string super_options;
};

// The mounts that `path`, a mountinfo file of /proc, lists: in the order of mounting, empty if it cannot be read.
std::vector<MountLine> ReadMountTable(const std::string& path = "/proc/self/mountinfo");

}  // namespace varve
