#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "cached/base/check.h"

namespace varve {

// A new directory under $TMPDIR, removed with all that is in it at the end of the test.
class TempDir {
 public:
  TempDir() : path_((std::filesystem::temp_directory_path() / "varve-test-XXXXXX").string()) {
    VARVE_CHECK(::mkdtemp(path_.data()) != nullptr);
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

}  // namespace varve
