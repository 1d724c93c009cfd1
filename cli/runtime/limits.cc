#include "cli/runtime/limits.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <string_view>

#include "cached/base/log.h"
#include "cli/runtime/cgroups.h"

namespace varve {
namespace {

constexpr std::uint64_t kMemoryBytesMin = 6 << 20;  // docker's: less does not even start a process
constexpr double kCpusMin = 0.01;

Result<std::uint64_t> ParseMemory(const std::string& text) {
  VARVE_ASSIGN_OR_RETURN(const std::uint64_t bytes, ParseSize(text));
  if (bytes < kMemoryBytesMin) return Error(Code::kInvalidArgument, "Minimum memory limit allowed is 6MB");
  return bytes;
}

// Of memory and swap together.
Result<std::optional<std::int64_t>> ParseSwap(const std::string& text, std::optional<std::uint64_t> memory) {
  std::optional<std::int64_t> limit;
  if (text == "-1") {
    limit = -1;
  } else if (!text.empty() && text != "0") {
    VARVE_ASSIGN_OR_RETURN(const std::uint64_t bytes, ParseSize(text));
    if (!memory) {
      return Error(Code::kInvalidArgument,
                   "You should always set the Memory limit when using Memoryswap limit, see usage");
    }
    if (bytes < *memory) {
      return Error(Code::kInvalidArgument, "Minimum memoryswap limit should be larger than memory limit, see usage");
    }
    limit = static_cast<std::int64_t>(bytes);
  } else if (memory) {
    limit = static_cast<std::int64_t>(2 * *memory);
  }
  if (!limit || SwapIsAccounted()) return limit;
  if (!text.empty()) LogWarning("--memory-swap {}: this kernel does not account for swap, so it is not limited", text);
  return std::optional<std::int64_t>();
}

Result<std::uint64_t> ParseCpus(const std::string& text) {
  const auto available = static_cast<double>(::sysconf(_SC_NPROCESSORS_ONLN));
  double cpus = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, cpus, std::chars_format::fixed);
  if (error != std::errc() || rest != end)
    return Error(Code::kInvalidArgument, fmt::format("--cpus {}: a number such as 1.5", text));
  if (!(cpus >= kCpusMin && cpus <= available)) {
    return Error(Code::kInvalidArgument,
                 fmt::format("Range of CPUs is from {:.2f} to {:.2f}, as there are only {} CPUs available", kCpusMin,
                             available, available));
  }
  return static_cast<std::uint64_t>(std::llround(cpus * static_cast<double>(kCpuPeriodUs)));
}

// A list of numbers and ranges, of CPUs that there are.
Status CheckCpuset(const std::string& text) {
  const auto last = static_cast<unsigned long>(::sysconf(_SC_NPROCESSORS_CONF)) - 1;
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  for (unsigned long from = 0, to = 0; at != end;) {
    const auto [dash, error] = std::from_chars(at, end, from);
    at = dash;
    to = from;
    bool good = error == std::errc();
    if (good && at != end && *at == '-') {
      const auto [rest, to_error] = std::from_chars(at + 1, end, to);
      at = rest;
      good = to_error == std::errc() && from <= to;
    }
    const bool goes_on = at != end;
    good = good && (!goes_on || (*at == ',' && at + 1 != end));
    if (!good) return Error(Code::kInvalidArgument, fmt::format("--cpuset-cpus {}: a list such as 0-2,4", text));
    if (to > last) {
      return Error(Code::kInvalidArgument,
                   fmt::format("Requested CPUs are not available - requested {}, available: 0-{}", text, last));
    }
    if (goes_on) ++at;
  }
  return Ok();
}

}  // namespace

Result<std::uint64_t> ParseSize(const std::string& text) {
  constexpr std::string_view kScales = "kmgtp";
  constexpr double kSizeMax = 1ULL << 61;  // twice of it, as memory and swap are, is still a number of the kernel's
  const Error invalid(Code::kInvalidArgument, fmt::format("invalid size: '{}'", text));
  double size = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, size, std::chars_format::fixed);
  if (error != std::errc()) return invalid;
  std::string unit(rest, end);
  if (unit.starts_with(' ')) unit.erase(0, 1);
  std::ranges::transform(unit, unit.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::size_t power = unit.empty() ? std::string_view::npos : kScales.find(unit[0]);
  if (power != std::string_view::npos) {
    size *= static_cast<double>(1ULL << (10 * (power + 1)));
    unit.erase(0, unit.size() > 1 && unit[1] == 'i' ? 2 : 1);
  }
  if ((!unit.empty() && unit != "b") || !(size >= 0 && size <= kSizeMax)) return invalid;
  return static_cast<std::uint64_t>(size);
}

Result<Limits> ParseLimits(const LimitOptions& options) {
  Limits limits;
  if (!options.memory.empty() && options.memory != "0") {
    VARVE_ASSIGN_OR_RETURN(limits.memory_bytes, ParseMemory(options.memory));
  }
  VARVE_ASSIGN_OR_RETURN(limits.memory_and_swap_bytes, ParseSwap(options.memory_swap, limits.memory_bytes));
  if (!options.cpus.empty()) {
    VARVE_ASSIGN_OR_RETURN(limits.cpu_quota_us, ParseCpus(options.cpus));
  }
  VARVE_RETURN_IF_ERROR(CheckCpuset(options.cpuset_cpus));
  limits.cpuset = options.cpuset_cpus;
  if (options.pids_limit.value_or(0) > 0) limits.processes = options.pids_limit;
  if (!options.shm_size.empty()) {
    VARVE_ASSIGN_OR_RETURN(limits.shm_bytes, ParseSize(options.shm_size));
  }
  VARVE_ASSIGN_OR_RETURN(limits.rlimits, ParseUlimits(options.ulimits));
  return limits;
}

}  // namespace varve
