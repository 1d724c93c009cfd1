#include "cli/archive/copy_paths.h"

#include <fmt/core.h>

namespace varve {
namespace {

std::string WithoutSlashes(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

// Where its last part is.
std::string DirectoryOf(const std::string& path) {
  const std::string bare = WithoutSlashes(path);
  const std::size_t slash = bare.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : bare.substr(0, slash);
}

}  // namespace

CopyArgument ParseCopyArgument(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (text.starts_with('/') || text.starts_with('.') || colon == std::string::npos || colon == 0) return {"", text};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

std::string BaseName(const std::string& path) {
  const std::string bare = WithoutSlashes(path);
  const std::string name = bare.substr(bare.rfind('/') + 1);
  return name == "." ? "" : name;
}

Result<CopyTarget> TargetOf(CopyKind source_kind, const std::string& source, CopyKind destination_kind,
                            const std::string& destination) {
  if (source_kind == CopyKind::kFile && source.ends_with('/'))
    return Error(Code::kInvalidArgument, source + ": not a directory");
  if (destination_kind == CopyKind::kDirectory) return CopyTarget{destination, BaseName(source)};
  if (destination_kind == CopyKind::kFile) {
    if (source_kind == CopyKind::kDirectory)
      return Error(Code::kInvalidArgument, fmt::format("cannot copy directory to a file: {}", destination));
    if (destination.ends_with('/')) return Error(Code::kInvalidArgument, destination + ": not a directory");
  } else if (source_kind == CopyKind::kFile && destination.ends_with('/')) {
    return Error(Code::kNotFound, fmt::format("destination directory \"{}\" must exist", destination));
  }
  return CopyTarget{DirectoryOf(destination), BaseName(destination)};
}

}  // namespace varve
