#include "cli/runtime/upper.h"

#include <fmt/core.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <optional>
#include <set>
#include <string_view>

namespace varve {
namespace {

// What is made in the upper for mounts, and what docker makes in each container.
constexpr std::array<std::string_view, 14> kMarks = {
    ".dockerenv", "dev",          "dev/console", "dev/mqueue",      "dev/pts", "dev/shm", "etc",
    "etc/hosts",  "etc/hostname", "etc/mtab",    "etc/resolv.conf", "proc",    "sys",     "sys/fs/cgroup"};

bool IsMark(const std::string& path) { return std::ranges::find(kMarks, path) != kMarks.end(); }

std::string Join(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : directory + "/" + name;
}

std::string ParentOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

bool IsWhiteout(const struct stat& info) { return S_ISCHR(info.st_mode) && info.st_rdev == 0; }

bool SameAttributes(const struct stat& a, const struct stat& b) {
  return a.st_mode == b.st_mode && a.st_uid == b.st_uid && a.st_gid == b.st_gid;
}

bool SameTime(const struct stat& a, const struct stat& b) {
  return a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

// Whether `path`, which is `info`, is nobody's but ours: an empty mark that the image lacks, or a directory, as the
// image has it, with nothing but such marks.
Result<bool> IsOurs(int upper, int lower, const std::string& path, const struct stat& info) {
  if (!IsMark(path)) return false;
  VARVE_ASSIGN_OR_RETURN(const auto below, LookBelow(lower, path));
  if (!S_ISDIR(info.st_mode)) return !below && ((S_ISREG(info.st_mode) && info.st_size == 0) || path == "etc/mtab");
  if (below && !SameAttributes(*below, info)) return false;
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListBelow(upper, path));
  for (const std::string& name : names) {
    const std::string inner = Join(path, name);
    VARVE_ASSIGN_OR_RETURN(const auto entry, LookBelow(upper, inner));
    if (!entry) continue;
    VARVE_ASSIGN_OR_RETURN(const bool ours, IsOurs(upper, lower, inner, *entry));
    if (!ours) return false;
  }
  return true;
}

Result<bool> IsOpaque(const TreeEntry& entry) {
  char value = 0;
  const std::string path = fmt::format("/proc/self/fd/{}", entry.fd);
  const ssize_t size = ::getxattr(path.c_str(), "trusted.overlay.opaque", &value, 1);
  if (size < 0 && errno != ENODATA && errno != ENOTSUP && errno != ERANGE) return ErrnoError(errno, "/" + entry.path);
  return size == 1 && value == 'y';
}

// The changes as they are found.
class Changes {
 public:
  Changes(int upper, int lower) : upper_(upper), lower_(lower) {}

  Status Visit(const TreeEntry& entry, UpperEntry kind) {
    if (entry.path.empty()) return Ok();  // docker does not tell of the root
    VARVE_ASSIGN_OR_RETURN(const auto below, LookBelow(lower_, entry.path));
    if (kind == UpperEntry::kWhiteout) {
      if (below) Add(entry.path, ChangeKind::kDeleted);
      return Ok();
    }
    if (!below) {
      Add(entry.path, ChangeKind::kAdded);
    } else if (!S_ISDIR(entry.info.st_mode) || !SameAttributes(*below, entry.info) || !SameTime(*below, entry.info)) {
      found_.try_emplace(entry.path, ChangeKind::kChanged);
    }
    if (!S_ISDIR(entry.info.st_mode) || !below || !S_ISDIR(below->st_mode)) return Ok();
    // Below an opaque directory nothing of the lower is seen, however deep.
    if (kind != UpperEntry::kOpaque && !hidden_.contains(ParentOf(entry.path))) return Ok();
    hidden_.insert(entry.path);
    return AddHidden(entry.path);
  }

  std::vector<Change> Take() const {
    std::vector<Change> changes;
    changes.reserve(found_.size());
    for (const auto& [path, kind] : found_) changes.push_back({kind, "/" + path});
    return changes;
  }

 private:
  // Whoever gets or loses an entry has changed.
  void Add(const std::string& path, ChangeKind kind) {
    found_[path] = kind;
    if (const std::string parent = ParentOf(path); !parent.empty()) found_.try_emplace(parent, ChangeKind::kChanged);
  }

  Status AddHidden(const std::string& directory) {
    VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListBelow(lower_, directory));
    for (const std::string& name : names) {
      VARVE_ASSIGN_OR_RETURN(const auto entry, LookBelow(upper_, Join(directory, name)));
      if (!entry) Add(Join(directory, name), ChangeKind::kDeleted);
    }
    return Ok();
  }

  const int upper_;
  const int lower_;
  std::map<std::string, ChangeKind> found_;
  std::set<std::string> hidden_;  // directories of the lower, of which nothing is seen
};

}  // namespace

Status WalkUpper(int upper, int lower, const std::function<Status(const TreeEntry&, UpperEntry)>& visit) {
  return WalkTree(upper, "", [&](const TreeEntry& entry) -> Result<Below> {
    if (IsWhiteout(entry.info)) {
      VARVE_RETURN_IF_ERROR(visit(entry, UpperEntry::kWhiteout));
      return Below::kLeftOut;
    }
    VARVE_ASSIGN_OR_RETURN(const bool ours, IsOurs(upper, lower, entry.path, entry.info));
    if (ours) return Below::kLeftOut;
    UpperEntry kind = UpperEntry::kPlain;
    if (S_ISDIR(entry.info.st_mode)) {
      VARVE_ASSIGN_OR_RETURN(const bool opaque, IsOpaque(entry));
      if (opaque) kind = UpperEntry::kOpaque;
    }
    if (entry.path.empty()) {
      VARVE_ASSIGN_OR_RETURN(const auto below, LookBelow(lower, ""));
      if (below && SameAttributes(*below, entry.info)) return Below::kVisited;
    }
    VARVE_RETURN_IF_ERROR(visit(entry, kind));
    return Below::kVisited;
  });
}

Result<std::vector<Change>> ChangesOf(int upper, int lower) {
  Changes changes(upper, lower);
  VARVE_RETURN_IF_ERROR(
      WalkUpper(upper, lower, [&](const TreeEntry& entry, UpperEntry kind) { return changes.Visit(entry, kind); }));
  return changes.Take();
}

}  // namespace varve
