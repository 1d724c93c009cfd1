#include "tests/tree/read_everything.h"

#include <sys/stat.h>

#include <algorithm>

#include "cached/base/check.h"

namespace varve {
namespace {

std::size_t Sum(std::string_view text) { return static_cast<std::size_t>(std::ranges::count(text, 'a')); }

std::size_t ReadEntry(const LayerIndex& index, const fb::LayerEntry& entry) {
  std::size_t sum = Sum(index.name(entry));
  if (entry.kind() == static_cast<std::uint8_t>(LayerEntryKind::kInode)) sum += index.inodes()[entry.target()].mode();
  if (entry.kind() == static_cast<std::uint8_t>(LayerEntryKind::kLowerLink))
    sum += Sum(index.lower_link(entry.target()));
  return sum;
}

}  // namespace

std::size_t ReadEverything(const LayerIndex& index) {
  std::size_t sum = 0;
  for (const fb::Inode& inode : index.inodes()) {
    for (const fb::Xattr& xattr : index.xattrs(inode))
      sum += Sum(index.xattr_name(xattr)) + Sum(index.xattr_value(xattr));
    if (S_ISLNK(inode.mode())) sum += Sum(index.symlink_target(inode));
    if (S_ISDIR(inode.mode())) {
      for (const fb::LayerEntry& entry : index.entries(inode)) sum += ReadEntry(index, entry);
    }
    for (std::size_t i = 0; S_ISREG(inode.mode()) && i < index.extent_count(inode); ++i) {
      const fb::Extent extent = index.extent(inode, i);
      VARVE_CHECK(index.FindExtent(inode, extent.offset()) == i);
      VARVE_CHECK(index.chunks()[extent.chunk()].raw_length() == extent.length());
    }
  }
  return sum;
}

std::size_t ReadEverything(const ImageIndex& index) {
  std::size_t sum = 0;
  for (const fb::ImageInode& inode : index.inodes()) {
    if (!S_ISDIR(inode.mode())) continue;
    sum += index.inodes()[inode.parent()].mode();
    for (const fb::ImageEntry& entry : index.entries(inode)) {
      VARVE_CHECK(index.Find(inode, index.name(entry)) == &entry);
      sum += entry.layer() == kOwnInode ? index.inodes()[entry.ordinal()].mode()
                                        : index.layer(entry.layer() - 1u).bytes.size();
    }
  }
  return sum;
}

}  // namespace varve
