#pragma once

#include <string>
#include <string_view>

#include "cached/base/result.h"

namespace varve {

// Keys of the columns of a registry: the repository, a zero byte, and what is named in it (docs/format/
// registry-records.md). No repository's name has a zero byte, so that the keys of one are together and no other's are
// among them.
inline std::string KeyIn(std::string_view repository, std::string_view name) {
  std::string key(repository);
  key += '\0';
  key += name;
  return key;
}

struct RepositoryKey {
  std::string_view repository;
  std::string_view name;

  static Result<RepositoryKey> Parse(std::string_view key) {
    const auto end = key.find('\0');
    if (end == std::string_view::npos)
      return Error(Code::kDataLoss, "a key of the index names no repository; run: varve store rebuild-index");
    return RepositoryKey{key.substr(0, end), key.substr(end + 1)};
  }
};

// The first key that may stand behind `key`.
inline std::string Behind(std::string key) { return std::move(key) + '\0'; }

}  // namespace varve
