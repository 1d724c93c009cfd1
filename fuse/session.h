#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cached/base/fd.h"
#include "fuse/image_fs.h"
#include "fuse/turn.h"

struct fuse_session;

namespace varve {

// A FUSE connection and the threads that serve it. The other end of `device` is the kernel (/dev/fuse, mounted) or a
// test that speaks the protocol over a SOCK_SEQPACKET socket: libfuse's custom I/O makes no difference between them.
class Session {
 public:
  struct Options {
    unsigned workers = 8;  // more than cores: a worker may wait for a disk or for the daemon
  };
  // `fs` must outlive the session.
  static Result<std::unique_ptr<Session>> Start(ImageFs& fs, UniqueFd device, const Options& options);
  // The other end must be gone (unmounted by force, closed): joins the workers.
  ~Session();

  // Has the kernel forget the entry of that name in the mount's root, and all below it that nobody uses.
  void InvalidateRootEntry(const std::string& name);

 private:
  struct Free {
    void operator()(fuse_session* session) const;
  };
  Session(ImageFs& fs, fuse_session* session, const Options& options) : options_(options), fs_(fs), session_(session) {}
  Status StartWorkers();
  void Work(UniqueFd device);
  void StoreInPageCache(NodeId file, ByteSpan content);

  const Options options_;
  ImageFs& fs_;
  const std::unique_ptr<fuse_session, Free> session_;
  Turn turn_;
  std::vector<std::thread> workers_;
};

}  // namespace varve
