#pragma once

#include <string>
#include <vector>

#include "cached/base/result.h"

namespace varve {

enum class Privileged { kNo, kYes };

// What a container may do to the machine, as it was asked for, with docker's syntax.
struct SecurityOptions {
  Privileged privileged = Privileged::kNo;
  std::vector<std::string> options;  // --security-opt
  std::vector<std::string> devices;  // devices.h
  std::vector<std::string> groups;   // user.h
};

enum class Privileges {
  kGainable,     // by setuid programs and file capabilities
  kNotGainable,  // no_new_privs
};
enum class SystemPaths {
  kProtected,  // parts of /proc and /sys are hidden or read-only
  kOpen,
};

struct Security {
  Privileges privileges = Privileges::kGainable;
  SystemPaths system_paths = SystemPaths::kProtected;
  std::string seccomp;  // "linux.seccomp" as JSON; empty: every system call
};

// From no-new-privileges[=BOOL], seccomp=PROFILE|builtin|unconfined, systempaths=unconfined, with "=" or ":"; label=…
// and apparmor=unconfined say what is so anyway. Without a word of seccomp, the default profile (seccomp.h), chosen by
// `capabilities`, or with kYes none. kInvalidArgument for anything else.
Result<Security> ResolveSecurity(const SecurityOptions& options, const std::vector<std::string>& capabilities);

}  // namespace varve
