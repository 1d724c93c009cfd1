#include "fuse/attributes.h"

namespace varve {
namespace {

// What both indexes say of an inode in the same words.
template <class Inode>
struct stat FromIndex(const Inode& inode) {
  struct stat attributes{};
  attributes.st_mode = inode.mode();
  attributes.st_nlink = inode.nlink();
  attributes.st_uid = inode.uid();
  attributes.st_gid = inode.gid();
  attributes.st_rdev = inode.device();
  attributes.st_size = static_cast<off_t>(inode.size());
  attributes.st_blocks = S_ISREG(inode.mode()) ? static_cast<blkcnt_t>((inode.size() + 511) / 512) : 0;
  attributes.st_mtim = {.tv_sec = inode.mtime_seconds(), .tv_nsec = inode.mtime_nanoseconds()};
  return attributes;
}

}  // namespace

struct stat AttributesOf(NodeId id, const Node& node) {
  struct stat attributes = node.own != nullptr ? FromIndex(*node.own) : FromIndex(*node.inode);
  attributes.st_ino = id.number();
  attributes.st_blksize = kBlockBytes;
  attributes.st_atim = attributes.st_ctim = attributes.st_mtim;
  return attributes;
}

struct stat MountRootAttributes() {
  struct stat attributes{};
  attributes.st_ino = kMountRoot.number();
  attributes.st_mode = S_IFDIR | 0555;
  attributes.st_nlink = 2;
  attributes.st_blksize = kBlockBytes;
  return attributes;
}

}  // namespace varve
