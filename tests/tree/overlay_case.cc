#include "tests/tree/overlay_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace varve {

Result<OverlayCase> OverlayCase::Read(const std::string& path) {
  OverlayCase parsed{.name = std::filesystem::path(path).stem().string()};
  std::vector<TreeLine> expected;
  bool in_expect = false;
  std::ifstream stream(path);
  std::string text;
  for (int number = 1; std::getline(stream, text); ++number) {
    const std::string keyword = text.substr(0, text.find(' '));
    const std::string rest = text.size() > keyword.size() ? text.substr(keyword.size() + 1) : "";
    if (text.empty() || text.starts_with('#')) continue;
    if (keyword == "layer") {
      parsed.layers.emplace_back();
    } else if (keyword == "expect") {
      in_expect = true;
    } else if (keyword == "error") {
      parsed.error = rest;
    } else if (keyword == "no-oracle") {
      parsed.no_oracle = rest;
    } else {
      VARVE_ASSIGN_OR_RETURN(TreeLine line, TreeLine::Parse(text).In(fmt::format("{}:{}", path, number)));
      if (!in_expect && parsed.layers.empty())
        return Error(Code::kInvalidArgument, path + ": an entry before the first layer");
      if (in_expect) {
        expected.push_back(std::move(line));
      } else {
        parsed.layers.back().Add(std::move(line));
      }
    }
  }
  if (in_expect == !parsed.error.empty())
    return Error(Code::kInvalidArgument, path + ": needs one of expect and error");
  std::ranges::sort(expected, {}, &TreeLine::path);
  parsed.expected = ToStrings(expected);
  return parsed;
}

std::vector<OverlayCase> OverlayCase::All() {
  std::vector<OverlayCase> cases;
  for (const auto& file : std::filesystem::directory_iterator(VARVE_OVERLAY_CASES)) {
    if (file.path().extension() == ".overlay") cases.push_back(Read(file.path().string()).value());
  }
  std::ranges::sort(cases, {}, &OverlayCase::name);
  return cases;
}

}  // namespace varve
