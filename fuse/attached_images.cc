#include "fuse/attached_images.h"

#include <filesystem>

#include "cached/base/mount_table.h"
#include "cached/content/digest.h"

namespace varve {
namespace {

constexpr std::size_t kHexDigits = 2 * sizeof(Digest);

}  // namespace

std::set<std::string> AttachedImages(const std::string& mountpoint) {
  std::set<std::string> attached;
  std::set<std::string> namespaces;
  std::error_code error;
  // A process may end at any moment: what cannot be read of it shows nothing.
  for (std::filesystem::directory_iterator process("/proc", error), end; !error && process != end;
       process.increment(error)) {
    std::error_code gone;
    const std::string space = std::filesystem::read_symlink(process->path() / "ns/mnt", gone).string();
    if (gone || !namespaces.insert(space).second) continue;
    for (const MountLine& line : ReadMountTable(process->path() / "mountinfo")) {
      if (line.type == "fuse.varve" && line.source == mountpoint && line.root.size() > kHexDigits)
        attached.insert(line.root.substr(1, kHexDigits));
    }
  }
  return attached;
}

}  // namespace varve
