#include "cli/runtime/environment.h"

#include <fmt/core.h>

#include <cstdlib>
#include <map>
#include <string_view>

#include "cached/base/fs.h"

namespace varve {
namespace {

constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::string_view kBlanks = " \t\r\v\f";

using Variables = std::map<std::string, std::string>;

Error Invalid(std::string_view entry) {
  return Error(Code::kInvalidArgument, fmt::format("invalid environment variable: {}", entry));
}

enum class WhenAbsentHere { kRemove, kSkip };

Status Apply(std::string_view entry, WhenAbsentHere when_absent, Variables& variables) {
  const std::size_t equals = entry.find('=');
  const std::string name(entry.substr(0, equals));
  if (name.empty()) return Invalid(entry);
  if (equals != std::string_view::npos) {
    variables[name] = entry.substr(equals + 1);
  } else if (const char* ours = std::getenv(name.c_str())) {  // NOLINT(concurrency-mt-unsafe): nothing sets any
    variables[name] = ours;
  } else if (when_absent == WhenAbsentHere::kRemove) {
    variables.erase(name);
  }
  return Ok();
}

Status ApplyFile(const std::string& path, Variables& variables) {
  VARVE_ASSIGN_OR_RETURN(const Bytes bytes, ReadWholeFile(Fs::Real(), path, kEnvFileBytesMax));
  std::string_view text = AsText(bytes);
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
    if (line.empty() || line.starts_with('#')) continue;
    if (line.substr(0, line.find('=')).find_first_of(kBlanks) != std::string_view::npos) return Invalid(line).In(path);
    VARVE_RETURN_IF_ERROR(Apply(line, WhenAbsentHere::kSkip, variables).In(path));
  }
  return Ok();
}

// Malformed lines are skipped.
void ApplyLines(const std::vector<std::string>& lines, Variables& variables) {
  for (const std::string& line : lines) {
    if (const std::size_t equals = line.find('='); equals != std::string::npos && equals > 0)
      variables[line.substr(0, equals)] = line.substr(equals + 1);
  }
}

std::vector<std::string> LinesOf(const Variables& variables) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : variables) lines.push_back(fmt::format("{}={}", name, value));
  return lines;
}

}  // namespace

Result<std::vector<std::string>> ContainerEnvironment(const std::string& hostname,
                                                      const std::vector<std::string>& image,
                                                      const std::vector<std::string>& env_files,
                                                      const std::vector<std::string>& variables) {
  Variables merged{{"PATH", std::string(kDefaultPath)}, {"HOSTNAME", hostname}};
  ApplyLines(image, merged);
  for (const std::string& path : env_files) VARVE_RETURN_IF_ERROR(ApplyFile(path, merged));
  for (const std::string& entry : variables) VARVE_RETURN_IF_ERROR(Apply(entry, WhenAbsentHere::kRemove, merged));
  return LinesOf(merged);
}

Result<std::vector<std::string>> ExtendedEnvironment(const std::vector<std::string>& base,
                                                     const std::vector<std::string>& variables) {
  Variables merged;
  ApplyLines(base, merged);
  for (const std::string& entry : variables) VARVE_RETURN_IF_ERROR(Apply(entry, WhenAbsentHere::kRemove, merged));
  return LinesOf(merged);
}

}  // namespace varve
