#pragma once

#include <fuse3/fuse_lowlevel.h>

#include "cached/base/log.h"
#include "fuse/buffer_pool.h"
#include "fuse/content_reader.h"
#include "fuse/file_ahead.h"
#include "fuse/image_registry.h"

namespace varve {

// The FUSE operations: what the kernel asks, answered from mapped indexes and packs. Nothing is allocated or locked on
// the way of LOOKUP, GETATTR and READLINK. Thread-safe; each request is answered before its call returns.
//
// All but the mount's root is immutable, so entries (absent ones too), attributes, symlinks and directories may be
// cached for ever, and OPEN and OPENDIR are answered ENOSYS: the kernel then opens by itself, checks access by itself
// (default_permissions) and keeps its page cache. The root is the exception: an image appears in it when it is asked
// for, and is looked up anew until then; it lists nothing.
class ImageFs {
 public:
  // Both must outlive the file system.
  ImageFs(ImageRegistry& images, ContentReader& content);

  // For fuse_session_new, with this as its user data.
  static const fuse_lowlevel_ops& Operations();

  FileAhead& ahead() { return ahead_; }

 private:
  struct Callbacks;

  void LookUp(fuse_req_t request, NodeId parent, std::string_view name);
  void LookUpImage(fuse_req_t request, std::string_view name);
  void ReplyEntry(fuse_req_t request, NodeId id, const struct stat& attributes);
  void GetAttributes(fuse_req_t request, NodeId id);
  void ReadLink(fuse_req_t request, NodeId id);
  void Read(fuse_req_t request, NodeId id, std::size_t size, std::uint64_t offset);
  void LogFailedRead(const Node& file, const Error& error);
  void ReadDirectory(fuse_req_t request, NodeId id, std::size_t size, std::uint64_t offset);
  void StatFs(fuse_req_t request, NodeId id);
  void GetXattr(fuse_req_t request, NodeId id, std::string_view name, std::size_t size);
  void ListXattr(fuse_req_t request, NodeId id, std::size_t size);

  ImageRegistry& images_;
  ContentReader& content_;
  FileAhead ahead_;
  BufferPool replies_;
  LogLimit failed_reads_;
};

}  // namespace varve
