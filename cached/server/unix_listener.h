#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "cached/base/fd.h"
#include "cached/base/result.h"

namespace varve {

// A unix socket that only root, the daemon's own user and, if one is given, the members of a group may use. The
// socket's mode says so to the kernel (0600, or 0660 with the group), and each peer is asked by SO_PEERCRED as well:
// a mode that somebody changed lets nobody in.
class UnixListener {
 public:
  // Replaces what is at `path`. The socket has its mode and group before anybody can connect. With a group, the
  // socket's directory is made passable for it (0710).
  static Result<UnixListener> Create(const std::string& path, std::optional<gid_t> group);

  int fd() const { return socket_.get(); }  // readable when somebody connects

  // The next peer that may come in, not blocking; invalid if there is none. Others are closed, and a log line names
  // them. kResourceExhausted when descriptors have run out: that peer waits.
  Result<UniqueFd> Accept();

 private:
  UnixListener(UniqueFd socket, std::string path, std::optional<gid_t> group)
      : socket_(std::move(socket)), path_(std::move(path)), group_(group) {}

  bool MayEnter(int peer) const;

  UniqueFd socket_;
  std::string path_;
  std::optional<gid_t> group_;
};

}  // namespace varve
