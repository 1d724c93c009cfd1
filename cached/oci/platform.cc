#include "cached/oci/platform.h"

#include <fmt/core.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>

namespace varve {
namespace {

constexpr std::size_t kPlatformBytesMax = 128;

struct Alias {
  std::string_view name;
  std::string_view architecture;
  std::string_view variant;
};
constexpr std::array kAliases = {
    Alias{"x86_64", "amd64", ""}, Alias{"x86-64", "amd64", ""}, Alias{"aarch64", "arm64", ""},
    Alias{"i386", "386", ""},     Alias{"i686", "386", ""},     Alias{"armhf", "arm", "v7"},
    Alias{"armv7l", "arm", "v7"}, Alias{"armel", "arm", "v6"},  Alias{"armv6l", "arm", "v6"},
};
constexpr std::array kArchitectures = {"386",    "amd64",    "arm",     "arm64",   "loong64",
                                       "mips64", "mips64le", "ppc64le", "riscv64", "s390x"};

bool IsComponent(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '-';
  });
}

// A processor in Go's words, whichever were used.
void SetArchitecture(Platform& platform, std::string_view name) {
  const auto alias = std::ranges::find(kAliases, name, &Alias::name);
  if (alias == kAliases.end()) {
    platform.architecture = name;
    return;
  }
  platform.architecture = alias->architecture;
  if (platform.variant.empty()) platform.variant = alias->variant;
}

// The oldest variant of a processor that has any, and the one that is meant where none is named.
struct Variants {
  std::string_view architecture;
  char oldest;
  char implied;
};
constexpr std::array kVariants = {Variants{"amd64", '1', '1'}, Variants{"arm", '5', '7'}, Variants{"arm64", '8', '8'}};

}  // namespace

std::string Platform::ToString() const { return os + "/" + architecture + (variant.empty() ? "" : "/" + variant); }

std::vector<Platform> Platform::Runnable() const {
  const auto variants = std::ranges::find(kVariants, architecture, &Variants::architecture);
  if (variants == kVariants.end()) return {*this};
  const std::string_view named = std::string_view(variant).substr(variant.starts_with('v') ? 1 : 0);
  if (named.size() > 1 || (!named.empty() && (named.front() < '0' || named.front() > '9'))) return {*this};
  std::vector<Platform> platforms;
  for (char number = named.empty() ? variants->implied : named.front(); number >= variants->oldest; --number) {
    platforms.push_back({os, architecture, std::string("v") + number});
  }
  if (platforms.empty()) return {*this};
  return platforms;
}

Result<Platform> Platform::Parse(std::string_view text) {
  const Error invalid(Code::kInvalidArgument,
                      fmt::format("platform \"{}\": expected os/architecture[/variant], for example linux/arm64",
                                  text.substr(0, kPlatformBytesMax)));
  if (text.size() > kPlatformBytesMax) return invalid;
  std::vector<std::string_view> parts;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t end = std::min(text.find('/', from), text.size());
    parts.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  if (parts.size() > 3 || !std::ranges::all_of(parts, IsComponent)) return invalid;
  Platform platform;
  platform.os = parts.size() == 1 ? "linux" : parts[0];
  if (parts.size() == 3) platform.variant = parts[2];
  SetArchitecture(platform, parts.size() == 1 ? parts[0] : parts[1]);
  const bool known = std::ranges::find(kArchitectures, platform.architecture) != kArchitectures.end();
  if (parts.size() == 1 && !known) return invalid;
  return platform;
}

Platform Platform::Host() {
  Platform platform{.os = "linux", .architecture = {}, .variant = {}};
  utsname names{};
  VARVE_CHECK(::uname(&names) == 0);
  SetArchitecture(platform, names.machine);
  return platform;
}

Result<Platform> Platform::ParseOrHost(std::string_view text) {
  if (text.empty()) return Host();
  return Parse(text);
}

}  // namespace varve
