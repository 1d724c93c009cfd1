#include "cached/tree/path.h"

#include <fmt/core.h>

#include <algorithm>

namespace varve {
namespace {

// Calls `visit` with each component that says something, ".." included.
template <class Visit>
void ForEachComponent(std::string_view path, Visit visit) {
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, end);
    if (!name.empty() && name != ".") visit(name);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
}

}  // namespace

bool IsValidName(std::string_view name) {
  constexpr std::string_view kForbidden("/\0", 2);
  return !name.empty() && name.size() <= kNameBytesMax && name != "." && name != ".." &&
         name.find_first_of(kForbidden) == name.npos;
}

Result<std::vector<std::string_view>> SplitPath(std::string_view path) {
  if (path.find('\0') != path.npos) return Error(Code::kInvalidArgument, "a path with a NUL byte");
  std::vector<std::string_view> names;
  ForEachComponent(path, [&](std::string_view name) { names.push_back(name); });
  for (const std::string_view name : names) {
    if (name == "..") return Error(Code::kInvalidArgument, "\"..\" could lead out of the image");
    if (name.size() > kNameBytesMax) {
      return Error(Code::kInvalidArgument,
                   fmt::format("a name of {} bytes, at most {} allowed", name.size(), kNameBytesMax));
    }
  }
  if (names.size() > kDepthMax) {
    return Error(Code::kInvalidArgument,
                 fmt::format("{} directories deep, at most {} allowed", names.size(), kDepthMax));
  }
  return names;
}

Result<std::vector<ResolvedName>> ResolveDirectory(std::uint32_t root, std::span<const std::string_view> names,
                                                   const PathLookup& lookup) {
  std::vector<std::string_view> pending(names.rbegin(), names.rend());
  std::vector<ResolvedName> at;
  std::uint32_t hops = 0;
  while (!pending.empty()) {
    const std::string_view name = pending.back();
    pending.pop_back();
    if (name == "..") {
      if (!at.empty()) at.pop_back();
      continue;
    }
    const std::uint32_t directory = at.empty() ? root : at.back().directory;
    const PathStep step = directory == kMissingDirectory ? PathStep{} : lookup(directory, name);
    switch (step.kind) {
      case PathStep::Kind::kMissing:
        at.push_back({name, kMissingDirectory});
        break;
      case PathStep::Kind::kDirectory:
        at.push_back({name, step.directory});
        break;
      case PathStep::Kind::kOther:
        return Error(Code::kInvalidArgument, fmt::format("\"{}\" is not a directory", name));
      case PathStep::Kind::kSymlink: {
        if (++hops > kSymlinkHopsMax)
          return Error(Code::kInvalidArgument, fmt::format("more than {} symlinks", kSymlinkHopsMax));
        if (step.target.starts_with('/')) at.clear();
        const auto first = static_cast<std::ptrdiff_t>(pending.size());
        ForEachComponent(step.target, [&](std::string_view part) { pending.push_back(part); });
        std::reverse(pending.begin() + first, pending.end());
        break;
      }
    }
    if (at.size() > kDepthMax)
      return Error(Code::kInvalidArgument, fmt::format("more than {} directories deep", kDepthMax));
  }
  return at;
}

}  // namespace varve
