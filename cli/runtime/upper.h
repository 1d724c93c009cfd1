#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cached/base/result.h"
#include "cli/runtime/walk_tree.h"

// What a container has written: the upper directory of its overlay, read beside the root of its image, the lower.
//
// overlayfs keeps there what is new or changed, whole, and marks what is gone: a character device 0:0 hides the name
// below it, and a directory with the xattr trusted.overlay.opaque=y hides all that the lower has in it. We mount with
// metacopy, redirect_dir and index off, so that there is nothing else to know.
//
//   upper                  lower            diff            a layer (OCI image-spec, layer.md)
//   etc/                   etc/             C /etc          etc/
//   etc/motd               etc/motd         C /etc/motd     etc/motd
//   etc/passwd  c 0:0      etc/passwd       D /etc/passwd   etc/.wh.passwd
//   srv/        opaque     srv/             C /srv          srv/  srv/.wh..wh..opq
//   srv/new                                 A /srv/new      srv/new
//                          srv/old          D /srv/old
//
// A directory stands in the upper as soon as something below it does. It counts as changed if it differs from the
// image's itself, or if entries have come or gone. What varve and the runtime make so that they can mount over it
// (/etc/hosts, /dev, …) is none of the container's as long as it is empty, and is left out of both.

namespace varve {

enum class ChangeKind : char { kAdded = 'A', kChanged = 'C', kDeleted = 'D' };
struct Change {
  ChangeKind kind;
  std::string path;  // with a slash in front
};

// What docker's `diff` tells, by path.
Result<std::vector<Change>> ChangesOf(int upper, int lower);

enum class UpperEntry {
  kPlain,
  kOpaque,    // a directory that hides what the lower has in it
  kWhiteout,  // hides what the lower has of that name
};
// Visits all that is not left out, a directory before its entries. The root is visited if it differs from the lower's.
Status WalkUpper(int upper, int lower, const std::function<Status(const TreeEntry&, UpperEntry)>& visit);

}  // namespace varve
