#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cached/base/result.h"

namespace varve {

inline constexpr std::uint64_t kSeccompProfileBytesMax = 1 << 20;

// docker's default profile as distributions ship it for podman (Debian: golang-github-containers-common).
inline constexpr const char* kDefaultSeccompProfile = "/usr/share/containers/seccomp.json";

// What the rules of a profile are chosen by.
struct SeccompTarget {
  std::string architecture;               // Platform's word: "amd64"
  std::string kernel;                     // uname's release: "6.1.0-18-amd64"
  std::vector<std::string> capabilities;  // of the container's bounding set
};
SeccompTarget SeccompTargetHere(std::vector<std::string> capabilities);

// "linux.seccomp" of an OCI runtime configuration, from a file with a profile in docker's dialect: the runtime-spec's
// form, with an archMap in place of architectures, and with rules that hold for some architectures, capabilities or
// kernels only. kInvalidArgument if it is neither, and above kSeccompProfileBytesMax an error too.
Result<std::string> LoadSeccompProfile(const std::string& path, const SeccompTarget& target);

// kDefaultSeccompProfile with docker's rules for namespaces and mounts, which are stricter. kNotFound, with what to do,
// if it is not installed.
Result<std::string> LoadDefaultSeccompProfile(const SeccompTarget& target);

}  // namespace varve
