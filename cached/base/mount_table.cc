#include "cached/base/mount_table.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace varve {
namespace {

// Undoes the octal escapes of mountinfo.
std::string Unescape(const std::string& field) {
  std::string text;
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i] == '\\' && i + 3 < field.size()) {
      text += static_cast<char>((field[i + 1] - '0') * 64 + (field[i + 2] - '0') * 8 + (field[i + 3] - '0'));
      i += 3;
    } else {
      text += field[i];
    }
  }
  return text;
}

}  // namespace

std::vector<MountLine> ReadMountTable(const std::string& path) {
  std::ifstream file(path);
  std::vector<MountLine> lines;
  for (std::string line; std::getline(file, line);) {
    // id parent major:minor root mountpoint options [optional…] - type source super-options
    std::istringstream words(line);
    std::vector<std::string> fields;
    for (std::string word; words >> word;) fields.push_back(Unescape(word));
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (fields.size() < 10 || fields.end() - dash < 4) continue;
    lines.push_back({fields[3], fields[4], fields[5], dash[1], dash[2], dash[3]});
  }
  return lines;
}

}  // namespace varve
