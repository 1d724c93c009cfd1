#include "tests/tree/tree_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>

namespace varve {
namespace {

template <class T>
Status ParseNumber(std::string_view text, int base, T& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into, base);
  if (error == std::errc() && end == text.data() + text.size()) return Ok();
  return Error(Code::kInvalidArgument, fmt::format("\"{}\" is not a number", text));
}

Status ParseOption(std::string_view word, TreeLine& line) {
  const std::size_t equals = word.find('=');
  const std::string_view key = word.substr(0, equals);
  const std::string_view value = word.substr(equals + 1);
  if (key == "mode") return ParseNumber(value, 8, line.mode);
  if (key == "uid") return ParseNumber(value, 10, line.uid);
  if (key == "gid") return ParseNumber(value, 10, line.gid);
  if (key == "mtime") return ParseNumber(value, 10, line.mtime);
  if (key == "nlink") return ParseNumber(value, 10, line.nlink);
  const std::size_t colon = value.find(':');
  if (key != "xattr" || colon == value.npos)
    return Error(Code::kInvalidArgument, fmt::format("\"{}\" is no option", word));
  line.xattrs.emplace(value.substr(0, colon), value.substr(colon + 1));
  return Ok();
}

}  // namespace

std::uint32_t UsualMode(std::string_view type) { return type == "dir" ? 0755 : type == "symlink" ? 0777 : 0644; }

Result<TreeLine> TreeLine::Parse(std::string_view text) {
  static constexpr std::string_view kTypes[] = {"file",  "dir",  "symlink",  "hardlink", "char",
                                                "block", "fifo", "whiteout", "opaque"};
  std::istringstream words{std::string(text)};
  TreeLine line;
  words >> line.type >> line.path;
  if (std::ranges::find(kTypes, line.type) == std::end(kTypes) || line.path.empty()) {
    return Error(Code::kInvalidArgument, fmt::format("\"{}\" is no TYPE PATH", text));
  }
  line.mode = UsualMode(line.type);
  for (std::string word; words >> word;) {
    if (word.find('=') != word.npos) {
      VARVE_RETURN_IF_ERROR(ParseOption(word, line));
    } else if (line.value.empty()) {
      line.value = word;
    } else {
      return Error(Code::kInvalidArgument, fmt::format("\"{}\" is one word too many", word));
    }
  }
  return line;
}

std::string TreeLine::ToString() const {
  std::string text = type + " " + path;
  if (!value.empty()) text += " " + value;
  if (type == "hardlink") return text;
  if (mode != UsualMode(type)) text += fmt::format(" mode={:04o}", mode);
  if (uid != 0) text += fmt::format(" uid={}", uid);
  if (gid != 0) text += fmt::format(" gid={}", gid);
  if (mtime != 0) text += fmt::format(" mtime={}", mtime);
  if (nlink != 1) text += fmt::format(" nlink={}", nlink);
  for (const auto& [name, xattr] : xattrs) text += fmt::format(" xattr={}:{}", name, xattr);
  return text;
}

std::vector<std::string> ToStrings(const std::vector<TreeLine>& lines) {
  std::vector<std::string> strings;
  for (const TreeLine& line : lines) strings.push_back(line.ToString());
  return strings;
}

}  // namespace varve
