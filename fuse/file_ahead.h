#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "cached/base/mutex.h"
#include "fuse/content_reader.h"
#include "fuse/image_registry.h"
#include "fuse/node_id.h"

namespace varve {

// Puts small files into the kernel's page cache before they are read.
//
// A reader of a tree (tar, cp -r, grep -r, a build context) lists a directory and reads its files, one after the other.
// Each small file costs a round trip, most of which is waking the driver and being woken by it: the kernel reads ahead
// within a file, not across files. But the driver knows what it has just listed. While the reader is at the first of
// those files, the others are decoded on a thread of its own and stored (FUSE_NOTIFY_STORE); the reader finds them in
// the page cache and asks nobody.
//
// Example: a listing of a b c d e f. a and b are left to the reader, who is about to ask for them; storing a file that
// is being read would wait for that, and both would go on side by side. c to f are stored, but for those that the
// reader has come to meanwhile.
//
// Most listings are not followed by reads (ls, find, stat), so it is done only while they are: a listing whose files
// are asked for adds to the trust, one that passes by unread takes from it. The first file of each is never stored, so
// a reader who follows always shows. A wrong guess costs the decoding of one listing's small files and their place in
// the page cache. What cannot be read is left to the reader, who is told.
//
// Measured: docs/design/fuse.md. Thread-safe.
class FileAhead {
 public:
  static constexpr std::uint64_t kFileBytesMax = 64 << 10;  // within larger ones, the kernel reads ahead
  static constexpr std::size_t kListingMax = 128;           // files of one listing that count; others are just read

  // Both must outlive it.
  FileAhead(ImageRegistry& images, ContentReader& content) : images_(images), content_(content) {}
  ~FileAhead() { Stop(); }

  // Puts all of a file's content into the page cache, unless the kernel does not know the file (any more).
  using StoreInPageCache = std::function<void(NodeId file, ByteSpan content)>;
  void Start(StoreInPageCache store);
  // Finishes what is wanted; nothing is stored after it.
  void Stop() EXCLUDES(mutex_);

  // Whether it counts: the content of a regular file is its layer's, under `id`, and small.
  static bool Counts(NodeId id, const Node& node);
  // Says what one reply of the kernel's listing of a directory has told it of, in that order: files that count.
  void Listed(std::vector<NodeId> files) EXCLUDES(mutex_);
  // Says that a file that counts was asked for. False: not by somebody who lists what he reads.
  bool Passed(NodeId file) EXCLUDES(mutex_);

 private:
  static constexpr std::size_t kLead = 2;           // files from the reader's to the first that is stored
  static constexpr std::size_t kListingsKept = 16;  // a reader of a tree comes back to a directory from those below
  static constexpr std::size_t kWantedMax = 4;
  static constexpr int kTrusted = 4;
  static constexpr int kTrustMax = 16;
  static constexpr int kTrustLostUnread = 2;

  struct Listing {
    const std::vector<NodeId> files;
    std::size_t asked = 0;  // behind the furthest that was asked for; under mutex_
  };
  void Work();
  void Store(const Listing& listing);

  ImageRegistry& images_;
  ContentReader& content_;
  StoreInPageCache store_;
  std::thread worker_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::shared_ptr<Listing>> listings_ GUARDED_BY(mutex_);  // the latest first
  std::deque<std::shared_ptr<Listing>> wanted_ GUARDED_BY(mutex_);
  int trust_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace varve
