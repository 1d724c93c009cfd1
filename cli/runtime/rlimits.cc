#include "cli/runtime/rlimits.h"

#include <fmt/core.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>

namespace varve {
namespace {

struct Name {
  std::string_view ours;
  const char* type;
  __rlimit_resource resource;
};
constexpr std::array<Name, 15> kNames = {{{"core", "RLIMIT_CORE", RLIMIT_CORE},
                                          {"cpu", "RLIMIT_CPU", RLIMIT_CPU},
                                          {"data", "RLIMIT_DATA", RLIMIT_DATA},
                                          {"fsize", "RLIMIT_FSIZE", RLIMIT_FSIZE},
                                          {"locks", "RLIMIT_LOCKS", RLIMIT_LOCKS},
                                          {"memlock", "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
                                          {"msgqueue", "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
                                          {"nice", "RLIMIT_NICE", RLIMIT_NICE},
                                          {"nofile", "RLIMIT_NOFILE", RLIMIT_NOFILE},
                                          {"nproc", "RLIMIT_NPROC", RLIMIT_NPROC},
                                          {"rss", "RLIMIT_RSS", RLIMIT_RSS},
                                          {"rtprio", "RLIMIT_RTPRIO", RLIMIT_RTPRIO},
                                          {"rttime", "RLIMIT_RTTIME", RLIMIT_RTTIME},
                                          {"sigpending", "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
                                          {"stack", "RLIMIT_STACK", RLIMIT_STACK}}};

std::optional<std::uint64_t> ValueOf(std::string_view text) {
  if (text == "-1") return RLIM_INFINITY;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// runc would fail in the middle of a start.
Status CheckAllowed(const std::string& ulimit, const Name& name, std::uint64_t hard) {
  struct rlimit ours{};
  if (::getrlimit(name.resource, &ours) != 0) return ErrnoError(errno, ulimit);
  if (hard <= ours.rlim_max || ::prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE) == 1) return Ok();
  return Error(Code::kFailedPrecondition,
               fmt::format("--ulimit {}: varve's own hard limit is {}, and it is run without CAP_SYS_RESOURCE, which "
                           "raising it takes",
                           ulimit, ours.rlim_max));
}

Result<Rlimit> ParseUlimit(const std::string& ulimit) {
  const std::string_view text = ulimit;
  const std::size_t equals = std::min(text.find('='), text.size());
  const auto name = std::ranges::find(kNames, text.substr(0, equals), &Name::ours);
  if (name == kNames.end())
    return Error(Code::kInvalidArgument, fmt::format("invalid ulimit type: {}", text.substr(0, equals)));
  const std::string_view values = text.substr(std::min(equals + 1, text.size()));
  const std::size_t colon = std::min(values.find(':'), values.size());
  const auto soft = ValueOf(values.substr(0, colon));
  const auto hard = colon == values.size() ? soft : ValueOf(values.substr(colon + 1));
  if (!soft || !hard)
    return Error(Code::kInvalidArgument, fmt::format("invalid ulimit argument: {} (NAME=SOFT[:HARD])", ulimit));
  if (*soft > *hard) {
    return Error(Code::kInvalidArgument,
                 fmt::format("ulimit soft limit must be less than or equal to hard limit: {} > {}", *soft, *hard));
  }
  VARVE_RETURN_IF_ERROR(CheckAllowed(ulimit, *name, *hard));
  return Rlimit{.type = name->type, .soft = *soft, .hard = *hard};
}

}  // namespace

Result<std::vector<Rlimit>> ParseUlimits(const std::vector<std::string>& ulimits) {
  std::map<std::string, Rlimit> by_type;
  for (const std::string& ulimit : ulimits) {
    VARVE_ASSIGN_OR_RETURN(Rlimit limit, ParseUlimit(ulimit));
    by_type[limit.type] = std::move(limit);
  }
  std::vector<Rlimit> limits;
  limits.reserve(by_type.size());
  for (auto& [type, limit] : by_type) limits.push_back(std::move(limit));
  return limits;
}

}  // namespace varve
