#include "cached/base/root_paths.h"

#include <cstdlib>
#include <filesystem>

namespace varve {

Result<RootPaths> RootPaths::FromEnvironment() {
  const char* set = std::getenv("VARVE_ROOT");  // NOLINT(concurrency-mt-unsafe): nothing sets variables
  if (set == nullptr || *set == '\0') return RootPaths{"/var/lib/varve", "/run/varve"};
  if (*set != '/')
    return Error(Code::kInvalidArgument, std::string("VARVE_ROOT=") + set + ": it needs to be an absolute path");
  std::error_code error;
  std::string root = std::filesystem::weakly_canonical(set, error).string();
  if (error) return ErrnoError(error.value(), std::string("VARVE_ROOT=") + set);
  while (root.size() > 1 && root.ends_with('/')) root.pop_back();
  return RootPaths{root, root + "/run"};
}

}  // namespace varve
