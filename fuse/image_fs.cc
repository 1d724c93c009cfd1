#include "fuse/image_fs.h"

#include <linux/magic.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>

#include "cached/client/driver_protocol.h"
#include "fuse/attributes.h"
#include "fuse/xattrs.h"

namespace varve {
namespace {

constexpr double kForeverSeconds = 1e9;
constexpr std::size_t kReplyBytesMax = 1 << 20;
constexpr std::size_t kRepliesKept = 2;
// How many requests the kernel's readahead may have under way.
constexpr unsigned kBackgroundRequests = 64;

// A value whose size is asked (size 0), or that fits, or that does not.
void ReplyXattr(fuse_req_t request, std::string_view value, std::size_t size) {
  if (size == 0) {
    fuse_reply_xattr(request, value.size());
  } else if (size < value.size()) {
    fuse_reply_err(request, ERANGE);
  } else {
    fuse_reply_buf(request, value.data(), value.size());
  }
}

template <class... Args>
void RefuseWrite(fuse_req_t request, Args...) {
  fuse_reply_err(request, EROFS);
}

}  // namespace

ImageFs::ImageFs(ImageRegistry& images, ContentReader& content)
    : images_(images), content_(content), ahead_(images, content), replies_(kReplyBytesMax, kRepliesKept) {}

void ImageFs::ReplyEntry(fuse_req_t request, NodeId id, const struct stat& attributes) {
  fuse_entry_param entry{};
  entry.ino = id.number();
  entry.attr = attributes;
  entry.attr_timeout = entry.entry_timeout = kForeverSeconds;
  // A reply that nobody waits for any more was not seen by the kernel, so it will not be forgotten either.
  if (fuse_reply_entry(request, &entry) != 0) images_.Forget(id, 1);
}

void ImageFs::LookUpImage(fuse_req_t request, std::string_view name) {
  const auto root = images_.LookUpImage(name);
  const auto node = root ? images_.Find(*root) : std::nullopt;
  if (!node) {
    fuse_reply_err(request, ENOENT);
    return;
  }
  ReplyEntry(request, *root, AttributesOf(*root, *node));
}

void ImageFs::LookUp(fuse_req_t request, NodeId parent, std::string_view name) {
  if (parent == kMountRoot) return LookUpImage(request, name);
  const auto directory = images_.Find(parent);
  if (!directory || directory->own == nullptr || !S_ISDIR(directory->own->mode())) {
    fuse_reply_err(request, directory ? ENOTDIR : ESTALE);
    return;
  }
  const fb::ImageEntry* found = directory->image->index.Find(*directory->own, name);
  if (found == nullptr) {
    if (name.starts_with(kProbePrefix)) {
      fuse_reply_err(request, kProbeAnswer);
      return;
    }
    fuse_entry_param absent{};  // ino 0: the kernel remembers that there is none
    absent.entry_timeout = kForeverSeconds;
    fuse_reply_entry(request, &absent);
    return;
  }
  const auto [id, node] = ImageRegistry::Resolve(*directory->image, *found);
  images_.CountLookup(id);
  ReplyEntry(request, id, AttributesOf(id, node));
}

void ImageFs::GetAttributes(fuse_req_t request, NodeId id) {
  if (id == kMountRoot) {
    const struct stat attributes = MountRootAttributes();
    fuse_reply_attr(request, &attributes, kForeverSeconds);
    return;
  }
  const auto node = images_.Find(id);
  if (!node) {
    fuse_reply_err(request, ESTALE);
    return;
  }
  const struct stat attributes = AttributesOf(id, *node);
  fuse_reply_attr(request, &attributes, kForeverSeconds);
}

void ImageFs::ReadLink(fuse_req_t request, NodeId id) {
  const auto node = images_.Find(id);
  if (!node || node->inode == nullptr || !S_ISLNK(node->inode->mode())) {
    fuse_reply_err(request, node ? EINVAL : ESTALE);
    return;
  }
  const std::string_view target = node->layer->index.symlink_target(*node->inode);
  fuse_reply_buf(request, target.data(), target.size());
}

void ImageFs::Read(fuse_req_t request, NodeId id, std::size_t size, std::uint64_t offset) {
  const auto node = images_.Find(id);
  if (!node || node->inode == nullptr || !S_ISREG(node->inode->mode())) {
    fuse_reply_err(request, node ? EINVAL : ESTALE);
    return;
  }
  const BufferPool::Loan buffer = replies_.Borrow();
  const std::span<std::byte> reply = buffer.bytes().first(std::min(size, kReplyBytesMax));
  const auto read = content_.Read(*node, offset, reply);
  if (!read.ok()) {
    LogFailedRead(*node, read.error());
    fuse_reply_err(request, EIO);
    return;
  }
  if (FileAhead::Counts(id, *node) && !ahead_.Passed(id)) content_.DecodeBehind(*node);
  fuse_reply_buf(request, reinterpret_cast<const char*>(reply.data()), *read);
}

// A damaged file may be read a thousand times a second.
void ImageFs::LogFailedRead(const Node& file, const Error& error) {
  const auto left_out = failed_reads_.Admit(error.message());
  if (!left_out) return;
  const ImageRegistry::Place place = images_.FindPlace(file);
  LogError("image {}: {}: {}; reading it fails with EIO{}", place.image, place.path, error.message(), *left_out);
}

// Offsets count: 0 is ".", 1 "..", then the entries in the order of the index.
void ImageFs::ReadDirectory(fuse_req_t request, NodeId id, std::size_t size, std::uint64_t offset) {
  const auto directory = images_.Find(id);
  if (!directory || directory->own == nullptr || !S_ISDIR(directory->own->mode())) {
    fuse_reply_err(request, directory ? ENOTDIR : ESTALE);
    return;
  }
  const MountedImage& image = *directory->image;
  const auto entries = image.index.entries(*directory->own);
  const BufferPool::Loan buffer = replies_.Borrow();
  const std::span<char> reply(reinterpret_cast<char*>(buffer.bytes().data()), std::min(size, kReplyBytesMax));
  std::size_t used = 0;
  const auto add = [&](const char* name, const fuse_entry_param& entry) {
    const std::size_t needed = fuse_add_direntry_plus(request, reply.data() + used, reply.size() - used, name, &entry,
                                                      static_cast<off_t>(offset + 1));
    if (needed > reply.size() - used) return false;
    used += needed;
    ++offset;
    return true;
  };
  std::vector<NodeId> small;
  const std::uint64_t first = std::max<std::uint64_t>(offset, 2);
  bool room = true;
  for (; room && offset < 2;) {
    fuse_entry_param dot{};  // no node: the kernel looks neither of them up
    dot.attr.st_ino = offset == 0 ? id.number() : NodeId{image.slot, directory->own->parent()}.number();
    dot.attr.st_mode = S_IFDIR;
    room = add(offset == 0 ? "." : "..", dot);
  }
  std::array<char, 256> name;
  while (room && offset < entries.size() + 2) {
    const fb::ImageEntry& found = entries[offset - 2];
    const auto [child, node] = ImageRegistry::Resolve(image, found);
    fuse_entry_param entry{};
    entry.ino = child.number();
    entry.attr = AttributesOf(child, node);
    entry.attr_timeout = entry.entry_timeout = kForeverSeconds;
    *std::ranges::copy(image.index.name(found), name.begin()).out = '\0';
    room = add(name.data(), entry);
    if (room) images_.CountLookup(child);
    if (room && FileAhead::Counts(child, node)) small.push_back(child);
  }
  const std::uint64_t end = offset;
  if (fuse_reply_buf(request, reply.data(), used) == 0) {
    ahead_.Listed(std::move(small));
    return;
  }
  for (std::uint64_t i = first; i < end; ++i) images_.Forget(ImageRegistry::Resolve(image, entries[i - 2]).first, 1);
}

void ImageFs::StatFs(fuse_req_t request, NodeId id) {
  const auto node = images_.Find(id);
  const ImageRegistry::Totals totals = node ? images_.TotalsOf(*node) : ImageRegistry::Totals{};
  struct statvfs info{};
  info.f_bsize = info.f_frsize = kBlockBytes;
  info.f_blocks = (totals.bytes + kBlockBytes - 1) / kBlockBytes;
  info.f_files = totals.inodes;
  info.f_namemax = 255;
  fuse_reply_statfs(request, &info);
}

void ImageFs::GetXattr(fuse_req_t request, NodeId id, std::string_view name, std::size_t size) {
  const auto node = images_.Find(id);
  const auto value = node ? FindXattr(*node, name) : std::nullopt;
  if (value) {
    ReplyXattr(request, *value, size);
  } else {
    fuse_reply_err(request, ENODATA);
  }
}

void ImageFs::ListXattr(fuse_req_t request, NodeId id, std::size_t size) {
  const auto node = images_.Find(id);
  ReplyXattr(request, node ? ListXattrs(*node) : std::string(), size);
}

// libfuse calls C functions; nothing may be thrown out of them, and nothing that they call throws but std::bad_alloc,
// which ends us.
struct ImageFs::Callbacks {
  static ImageFs& Of(fuse_req_t request) { return *static_cast<ImageFs*>(fuse_req_userdata(request)); }

  static void Init(void* /*fs*/, fuse_conn_info* connection) {
    connection->want |= connection->capable & (FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_READDIRPLUS);
    // Content never changes, and replies are too small for a splice to pay.
    connection->want &= ~static_cast<unsigned>(FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_READDIRPLUS_AUTO |
                                               FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
    connection->max_background = kBackgroundRequests;
    connection->congestion_threshold = kBackgroundRequests;
  }
  static void LookUp(fuse_req_t request, fuse_ino_t parent, const char* name) noexcept {
    Of(request).LookUp(request, NodeId::FromNumber(parent), name);
  }
  static void Forget(fuse_req_t request, fuse_ino_t node, std::uint64_t lookups) noexcept {
    Of(request).images_.Forget(NodeId::FromNumber(node), lookups);
    fuse_reply_none(request);
  }
  static void ForgetMany(fuse_req_t request, std::size_t count, fuse_forget_data* nodes) noexcept {
    for (const auto& node : std::span(nodes, count))
      Of(request).images_.Forget(NodeId::FromNumber(node.ino), node.nlookup);
    fuse_reply_none(request);
  }
  static void GetAttributes(fuse_req_t request, fuse_ino_t node, fuse_file_info* /*file*/) noexcept {
    Of(request).GetAttributes(request, NodeId::FromNumber(node));
  }
  static void ReadLink(fuse_req_t request, fuse_ino_t node) noexcept {
    Of(request).ReadLink(request, NodeId::FromNumber(node));
  }
  // ENOSYS once, and the kernel opens by itself from then on.
  static void Open(fuse_req_t request, fuse_ino_t /*node*/, fuse_file_info* /*file*/) noexcept {
    fuse_reply_err(request, ENOSYS);
  }
  static void Read(fuse_req_t request, fuse_ino_t node, std::size_t size, off_t offset,
                   fuse_file_info* /*file*/) noexcept {
    Of(request).Read(request, NodeId::FromNumber(node), size, static_cast<std::uint64_t>(offset));
  }
  static void ReadDirectory(fuse_req_t request, fuse_ino_t node, std::size_t size, off_t offset,
                            fuse_file_info* /*file*/) noexcept {
    if (NodeId::FromNumber(node) == kMountRoot) {
      fuse_reply_buf(request, nullptr, 0);
      return;
    }
    Of(request).ReadDirectory(request, NodeId::FromNumber(node), size, static_cast<std::uint64_t>(offset));
  }
  static void StatFs(fuse_req_t request, fuse_ino_t node) noexcept {
    Of(request).StatFs(request, NodeId::FromNumber(node));
  }
  static void GetXattr(fuse_req_t request, fuse_ino_t node, const char* name, std::size_t size) noexcept {
    Of(request).GetXattr(request, NodeId::FromNumber(node), name, size);
  }
  static void ListXattr(fuse_req_t request, fuse_ino_t node, std::size_t size) noexcept {
    Of(request).ListXattr(request, NodeId::FromNumber(node), size);
  }
};

const fuse_lowlevel_ops& ImageFs::Operations() {
  static const fuse_lowlevel_ops operations = [] {
    fuse_lowlevel_ops ops{};
    ops.init = Callbacks::Init;
    ops.lookup = Callbacks::LookUp;
    ops.forget = Callbacks::Forget;
    ops.getattr = Callbacks::GetAttributes;
    ops.readlink = Callbacks::ReadLink;
    ops.open = Callbacks::Open;
    ops.read = Callbacks::Read;
    ops.opendir = Callbacks::Open;
    ops.statfs = Callbacks::StatFs;
    ops.getxattr = Callbacks::GetXattr;
    ops.listxattr = Callbacks::ListXattr;
    ops.forget_multi = Callbacks::ForgetMany;
    ops.readdirplus = Callbacks::ReadDirectory;
    ops.setattr = RefuseWrite;
    ops.mknod = RefuseWrite;
    ops.mkdir = RefuseWrite;
    ops.unlink = RefuseWrite;
    ops.rmdir = RefuseWrite;
    ops.symlink = RefuseWrite;
    ops.rename = RefuseWrite;
    ops.link = RefuseWrite;
    ops.write = RefuseWrite;
    ops.setxattr = RefuseWrite;
    ops.removexattr = RefuseWrite;
    ops.create = RefuseWrite;
    ops.fallocate = RefuseWrite;
    return ops;
  }();
  return operations;
}

}  // namespace varve
