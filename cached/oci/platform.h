#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cached/base/result.h"

namespace varve {

// An operating system and processor, in OCI's (Go's) words: linux/amd64, linux/arm/v7.
struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;  // empty: none named

  bool operator==(const Platform&) const = default;
  std::string ToString() const;  // "linux/arm64/v8"

  // What a machine of this platform can run, best first: itself with its variant spelled out (amd64 is v1, arm64 is v8,
  // arm is v7), then the older variants.
  std::vector<Platform> Runnable() const;

  // "os/architecture[/variant]" or "architecture"; kInvalidArgument otherwise. Kernels' words for a processor are taken
  // as well
  // ("x86_64", "aarch64").
  static Result<Platform> Parse(std::string_view text);
  static Platform Host();
  // Parse; of an empty text, the host's.
  static Result<Platform> ParseOrHost(std::string_view text);
};

}  // namespace varve
