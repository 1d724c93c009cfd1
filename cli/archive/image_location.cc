#include "cli/archive/image_location.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <utility>

namespace varve {
namespace {

using Kind = ImageLocation::Kind;

constexpr std::array kPrefixes = {
    std::pair(std::string_view("docker://"), Kind::kRegistry), std::pair(std::string_view("varve:"), Kind::kStore),
    std::pair(std::string_view("oci:"), Kind::kLayout), std::pair(std::string_view("oci-archive:"), Kind::kOciArchive),
    std::pair(std::string_view("docker-archive:"), Kind::kDockerArchive)};

ImageLocation InFiles(Kind kind, const std::string& text) {
  std::error_code error;
  if (std::filesystem::exists(text, error)) return {kind, text, ""};
  for (std::size_t colon = text.find(':'); colon != std::string::npos; colon = text.find(':', colon + 1)) {
    if (std::filesystem::exists(text.substr(0, colon), error))
      return {kind, text.substr(0, colon), text.substr(colon + 1)};
  }
  const std::size_t colon = std::min(text.find(':'), text.size());
  return {kind, text.substr(0, colon), text.substr(std::min(colon + 1, text.size()))};
}

}  // namespace

ImageLocation ImageLocation::Parse(const std::string& text) {
  for (const auto& [prefix, kind] : kPrefixes) {
    if (!text.starts_with(prefix)) continue;
    const std::string rest = text.substr(prefix.size());
    return kind == Kind::kRegistry || kind == Kind::kStore ? ImageLocation{kind, rest, ""} : InFiles(kind, rest);
  }
  return {Kind::kRegistry, text, ""};
}

}  // namespace varve
