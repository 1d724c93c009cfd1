#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cached/base/fs.h"
#include "cached/base/mutex.h"
#include "cached/base/root_paths.h"
#include "cached/content/digest.h"

namespace varve {

// An upload that nobody has written to for so long is given up.
inline constexpr std::chrono::hours kUploadAgeMax{24};

// The exact bytes of blobs (configs, compressed layers, manifests, whatever is pushed), a file each, and the uploads
// that they come from:
//
//   blobs/sha256/HEX                                  a blob
//   blobs/sha256/HEX.NUMBER.new                       one that is being written
//   blobs/uploads/HEX OF SHA-256(repository).ID       an upload; survives a restart of the daemon, not the loss of
//   power
//
// A blob's file is believed only if it has a record (Column::kOriginal), and is there before the record and until after
// it: whoever publishes one, or removes it, holds its lease or has condemned it (LeaseOfOriginal). Thread-safe; what is
// done to one upload is the caller's to order.
class BlobFiles {
 public:
  BlobFiles(Fs& fs, const RootPaths& paths) : fs_(fs), paths_(paths) {}

  // Makes the directories, durably. Removes what a crash has left: files that are not `known`, half-written ones, and
  // uploads that are too old.
  Status Recover(const std::function<Result<bool>(const Digest&)>& known);

  // The file that an upload appends to. kAlreadyExists; kInvalidArgument if `id` is not 1 to 64 letters, digits, "-" or
  // "_".
  Result<std::unique_ptr<File>> CreateUpload(std::string_view repository, std::string_view id);
  // As it was left: its size is how far it came. kNotFound, as for the next two.
  Result<std::unique_ptr<File>> OpenUpload(std::string_view repository, std::string_view id);
  Status RemoveUpload(std::string_view repository, std::string_view id);
  // Makes an upload that is synced, and whose bytes have this digest, the blob's file; durable when it returns. A file
  // that is there is replaced.
  Status Publish(std::string_view repository, std::string_view id, const Digest& digest);
  // As Publish, for a small blob.
  Status Write(const Digest& digest, ByteSpan bytes);

  // For reading, also after the file was removed. Files that were opened last stay open, so that a hot blob costs no
  // opening. kNotFound.
  Result<std::shared_ptr<const File>> Open(const Digest& digest);

  // The blobs that have a file.
  Result<std::vector<Digest>> List() const;
  Status Remove(const Digest& digest);
  Status RemoveUploadsBefore(std::chrono::system_clock::time_point written);

 private:
  struct OpenBlob {
    std::shared_ptr<const File> file;
    std::list<Digest>::iterator use;  // in recent_
  };
  Result<std::string> UploadPath(std::string_view repository, std::string_view id) const;
  std::string PathOf(const Digest& digest) const { return paths_.blobs() + "/" + digest.hex(); }
  void Forget(const Digest& digest) EXCLUDES(mutex_);

  Fs& fs_;
  const RootPaths paths_;
  std::atomic<std::uint64_t> drafts_ = 0;
  Mutex mutex_;
  std::uint64_t replaced_ GUARDED_BY(mutex_) = 0;  // how often any file was replaced or removed
  std::unordered_map<Digest, OpenBlob> open_ GUARDED_BY(mutex_);
  std::list<Digest> recent_ GUARDED_BY(mutex_);  // those of open_, last used first
};

// What stands in the lease table for the file of a blob and all that is linked to it. Not the digest itself, which
// there is the blob's record of a layer, and for one that is not compressed the layer too.
Digest LeaseOfOriginal(const Digest& blob);

}  // namespace varve
