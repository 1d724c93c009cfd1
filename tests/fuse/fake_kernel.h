#pragma once

#include <linux/fuse.h>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cached/base/fd.h"

namespace varve {

// The kernel's end of a FUSE connection, for one request at a time: what EdenFS calls a fake fuse, over libfuse's own
// parser.
class FakeKernel {
 public:
  FakeKernel();

  // The end that the session serves.
  UniqueFd TakeDevice() { return std::move(device_); }
  // Says FUSE_INIT, as a kernel that can do all.
  fuse_init_out Init();
  // Ends the connection, as an unmount does.
  void Disconnect() { end_.Reset(); }

  struct Reply {
    int error = 0;  // an errno, positive
    std::string payload;
  };
  Reply Call(std::uint32_t opcode, std::uint64_t node, std::string_view payload);
  // FORGET has no reply.
  void Forget(std::uint64_t node, std::uint64_t lookups);
  void BatchForget(const std::vector<fuse_forget_one>& nodes);
  // Waits for a notification: its payload. What the session puts into the page cache meanwhile is dropped.
  std::string ReceiveNotification(int code);

  // An errno, or 0 and the entry. A negative entry that may be cached is node id 0.
  struct Found {
    int error = 0;
    fuse_entry_out entry{};
  };
  Found LookUp(std::uint64_t parent, std::string_view name);
  // Follows names from `node`, each of which must exist.
  fuse_entry_out Walk(std::uint64_t node, std::initializer_list<std::string_view> names);
  std::optional<fuse_attr> GetAttributes(std::uint64_t node);
  Reply Read(std::uint64_t node, std::uint64_t offset, std::uint32_t size);
  Reply GetXattr(std::uint64_t node, std::string_view name, std::uint32_t size);
  Reply ListXattr(std::uint64_t node, std::uint32_t size);
  // By READDIRPLUS in replies of `size` bytes at most: every entry in order, "." and ".." too.
  struct Listed {
    std::string name;
    std::uint64_t node;
    fuse_attr attributes;
  };
  std::vector<Listed> List(std::uint64_t directory, std::uint32_t size);

 private:
  void Send(std::uint32_t opcode, std::uint64_t unique, std::uint64_t node, std::string_view payload);
  // The next message: header and payload.
  std::pair<fuse_out_header, std::string> Receive();

  UniqueFd end_;
  UniqueFd device_;
  std::uint64_t unique_ = 2;
};

}  // namespace varve
