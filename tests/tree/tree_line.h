#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cached/base/result.h"

namespace varve {

// One file of a tree as a line of text (tests/cases/README.md): "file etc/motd hello mode=0600". What is as usual is
// left out, so that two trees are the same if their lines are, and a test that fails shows the difference in words.
struct TreeLine {
  std::string type = {};   // file dir symlink hardlink char block fifo; in layers also whiteout opaque
  std::string path = {};   // "." is the root
  std::string value = {};  // content, target, or major:minor
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int64_t mtime = 0;
  std::uint32_t nlink = 1;  // not of directories
  std::map<std::string, std::string> xattrs = {};

  // kInvalidArgument, naming the word, for what is not in the grammar.
  static Result<TreeLine> Parse(std::string_view text);
  std::string ToString() const;
};

// The permissions that a line means when it has no mode=.
std::uint32_t UsualMode(std::string_view type);

std::vector<std::string> ToStrings(const std::vector<TreeLine>& lines);

}  // namespace varve
