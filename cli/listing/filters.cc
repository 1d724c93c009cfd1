#include "cli/listing/filters.h"

#include <fmt/core.h>

#include <algorithm>

namespace varve {

Result<Filters> Filters::Parse(const std::vector<std::string>& arguments, const std::vector<std::string_view>& known) {
  Filters filters;
  for (const std::string& argument : arguments) {
    const std::size_t equals = argument.find('=');
    if (equals == std::string::npos)
      return Error(Code::kInvalidArgument, "invalid filter '" + argument + "': it is NAME=VALUE");
    const std::string key = argument.substr(0, equals);
    if (std::ranges::find(known, key) == known.end()) {
      std::string names;
      for (const std::string_view name : known) names.append(names.empty() ? "" : ", ").append(name);
      return Error(Code::kInvalidArgument, fmt::format("invalid filter '{}' (known: {})", key, names));
    }
    filters.values_[key].push_back(argument.substr(equals + 1));
  }
  return filters;
}

const std::vector<std::string>& Filters::Of(std::string_view key) const {
  static const std::vector<std::string> none;
  const auto found = values_.find(key);
  return found == values_.end() ? none : found->second;
}

bool Filters::Pass(std::string_view key, const std::function<bool(const std::string&)>& holds) const {
  const std::vector<std::string>& values = Of(key);
  return values.empty() || std::ranges::any_of(values, holds);
}

bool Filters::PassName(std::string_view name) const {
  return Pass("name", [&](std::string_view part) {
    const bool begins = part.starts_with('^') || part.starts_with('/'), ends = part.ends_with('$');
    part.remove_prefix(std::min(part.find_first_not_of("^/"), part.size()));
    if (ends && !part.empty()) part.remove_suffix(1);
    if (begins && ends) return name == part;
    if (begins) return name.starts_with(part);
    return ends ? name.ends_with(part) : name.find(part) != std::string_view::npos;
  });
}

Status Filters::Check(std::string_view key, const std::function<bool(const std::string&)>& known) const {
  const std::vector<std::string>& values = Of(key);
  const auto wrong = std::ranges::find_if_not(values, known);
  if (wrong == values.end()) return Ok();
  return Error(Code::kInvalidArgument, "invalid filter '" + std::string(key) + "=" + *wrong + "'");
}

bool Filters::PassLabels(const Labels& labels) const {
  const auto has = [&](const std::string& wanted) {
    const std::size_t equals = wanted.find('=');
    const auto found = labels.find(wanted.substr(0, equals));
    return found != labels.end() && (equals == std::string::npos || found->second == wanted.substr(equals + 1));
  };
  return std::ranges::all_of(Of("label"), has) && std::ranges::none_of(Of("label!"), has);
}

Result<bool> Filters::Flag(std::string_view key, bool otherwise) const {
  const std::vector<std::string>& values = Of(key);
  if (values.empty()) return otherwise;
  for (const std::string& value : values) {
    const bool known = value == "true" || value == "1" || value == "false" || value == "0";
    if (!known || value != values.front()) {
      return Error(Code::kInvalidArgument,
                   "invalid filter '" + std::string(key) + "=" + value + "': it is true or false");
    }
  }
  return values.front() == "true" || values.front() == "1";
}

}  // namespace varve
