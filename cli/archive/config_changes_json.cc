#include "cli/archive/config_changes_json.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "cached/base/bytes.h"

namespace varve {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kBlanks = " \t";

Error Invalid(std::string message) { return Error(Code::kInvalidArgument, std::move(message)); }

std::string_view Trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

// Words as a shell divides them: blanks but for those that are quoted or behind a backslash.
Result<std::vector<std::string>> Words(std::string_view text) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = '\0';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == '\0' && kBlanks.find(c) != std::string_view::npos) {
      in_word = false;
      continue;
    }
    if (!std::exchange(in_word, true)) words.emplace_back();
    if (c == quote) {
      quote = '\0';
    } else if (quote == '\0' && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
      words.back() += text[++i];
    } else {
      words.back() += c;
    }
  }
  if (quote != '\0') return Invalid("a quote is not closed");
  return words;
}

// The JSON form, ["a", "b"]; nothing if `text` is not that.
Result<Json> JsonForm(std::string_view text) {
  Json list = text.starts_with('[') ? Json::parse(text, nullptr, false) : Json();
  if (!list.is_array()) return Json();
  if (!std::ranges::all_of(list, [](const Json& item) { return item.is_string(); }))
    return Invalid("a list of something else than strings");
  return list;
}

Result<Json> CommandOf(std::string_view text) {
  VARVE_ASSIGN_OR_RETURN(Json list, JsonForm(text));
  if (list.is_array()) return list;
  return Json({"/bin/sh", "-c", text});
}

// "NAME=value …", or the old form "NAME value".
Result<std::vector<std::pair<std::string, std::string>>> Assignments(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> assignments;
  const std::size_t blank = std::min(text.find_first_of(kBlanks), text.size());
  if (text.substr(0, blank).find('=') == std::string_view::npos) {
    if (blank == text.size()) return Invalid("a name without a value");
    assignments.emplace_back(text.substr(0, blank), Trimmed(text.substr(blank)));
    return assignments;
  }
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> words, Words(text));
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) return Invalid("\"" + word + "\" is not NAME=value");
    assignments.emplace_back(word.substr(0, equals), word.substr(equals + 1));
  }
  return assignments;
}

Status SetEnv(std::string_view text, Json& config) {
  VARVE_ASSIGN_OR_RETURN(const auto assignments, Assignments(text));
  Json& env = config["Env"];
  for (const auto& [name, value] : assignments) {
    const std::string beginning = fmt::format("{}=", name);
    const auto same = [&](const Json& item) { return item.get_ref<const std::string&>().starts_with(beginning); };
    const auto found = std::ranges::find_if(env, same);
    if (found != env.end()) {
      *found = beginning + value;
    } else {
      env.push_back(beginning + value);
    }
  }
  return Ok();
}

Status SetLabels(std::string_view text, Json& config) {
  VARVE_ASSIGN_OR_RETURN(const auto assignments, Assignments(text));
  for (const auto& [name, value] : assignments) config["Labels"][name] = value;
  return Ok();
}

Result<unsigned> PortOf(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0 || port > 65535)
    return Invalid("\"" + std::string(text) + "\" is no port");
  return port;
}

// "80", "80/udp", "8000-8010/tcp".
Status Expose(std::string_view text, Json& config) {
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> words, Words(text));
  for (const std::string_view word : words) {
    const std::size_t slash = std::min(word.find('/'), word.size());
    const std::string_view protocol = slash == word.size() ? "tcp" : word.substr(slash + 1);
    if (protocol != "tcp" && protocol != "udp" && protocol != "sctp")
      return Invalid("\"" + std::string(protocol) + "\" is no protocol (tcp, udp, sctp)");
    const std::string_view ports = word.substr(0, slash);
    const std::size_t dash = std::min(ports.find('-'), ports.size());
    VARVE_ASSIGN_OR_RETURN(const unsigned first, PortOf(ports.substr(0, dash)));
    unsigned last = first;
    if (dash != ports.size()) {
      VARVE_ASSIGN_OR_RETURN(last, PortOf(ports.substr(dash + 1)));
    }
    for (unsigned port = first; port <= last; ++port)
      config["ExposedPorts"][fmt::format("{}/{}", port, protocol)] = Json::object();
  }
  return Ok();
}

Status AddVolumes(std::string_view text, Json& config) {
  VARVE_ASSIGN_OR_RETURN(Json list, JsonForm(text));
  if (!list.is_array()) {
    VARVE_ASSIGN_OR_RETURN(list, Words(text));
  }
  for (const Json& path : list) {
    if (path.get_ref<const std::string&>().empty()) return Invalid("a volume without a path");
    config["Volumes"][path.get<std::string>()] = Json::object();
  }
  return Ok();
}

Result<std::string> OneWord(std::string_view text) {
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> words, Words(text));
  if (words.size() != 1 || words.front().empty()) return Invalid("exactly one argument is expected");
  return words.front();
}

Status AddTrigger(std::string_view text, Json& config) {
  std::string keyword(text.substr(0, text.find_first_of(kBlanks)));
  std::ranges::transform(keyword, keyword.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  if (keyword == "ONBUILD" || keyword == "FROM" || keyword == "MAINTAINER")
    return Invalid(keyword + " is not allowed as a trigger");
  config["OnBuild"].push_back(text);
  return Ok();
}

Status Apply(std::string_view keyword, std::string_view text, Json& config) {
  if (text.empty()) return Invalid("it has no argument");
  if (keyword == "CMD" || keyword == "ENTRYPOINT") {
    VARVE_ASSIGN_OR_RETURN(config[keyword == "CMD" ? "Cmd" : "Entrypoint"], CommandOf(text));
    return Ok();
  }
  if (keyword == "ENV") return SetEnv(text, config);
  if (keyword == "LABEL") return SetLabels(text, config);
  if (keyword == "EXPOSE") return Expose(text, config);
  if (keyword == "VOLUME") return AddVolumes(text, config);
  if (keyword == "ONBUILD") return AddTrigger(text, config);
  if (keyword == "WORKDIR") {
    const std::filesystem::path before(config.value("WorkingDir", "/"));
    config["WorkingDir"] = (before / text).lexically_normal().string();
    return Ok();
  }
  if (keyword == "USER" || keyword == "STOPSIGNAL") {
    VARVE_ASSIGN_OR_RETURN(config[keyword == "USER" ? "User" : "StopSignal"], OneWord(text));
    return Ok();
  }
  return Invalid("not one of CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME and WORKDIR");
}

}  // namespace

Status ApplyConfigChanges(const std::vector<std::string>& changes, nlohmann::ordered_json& config) {
  for (const std::string& change : changes) {
    const std::string_view text = Trimmed(change);
    const std::size_t end = std::min(text.find_first_of(kBlanks), text.size());
    std::string keyword(text.substr(0, end));
    std::ranges::transform(keyword, keyword.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    VARVE_RETURN_IF_ERROR(Apply(keyword, Trimmed(text.substr(end)), config).In("change \"" + change + "\""));
  }
  return Ok();
}

}  // namespace varve
