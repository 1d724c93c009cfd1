#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "cached/base/clock.h"
#include "cached/base/mutex.h"
#include "cached/content/sha256.h"
#include "cached/store/blob_files.h"

namespace varve {

// Blobs on their way into a repository. What was appended is in the upload's file and survives a restart of the
// daemon: whoever asks how far it came goes on from there. Only the running hash is in memory; it is made anew from the
// file when an upload is taken up that nobody has in memory. Nothing is durable before Seal, or visible
// before it is published.
// Thread-safe; a Hold belongs to one request.
class Uploads {
 private:
  // Of an upload in memory.
  struct Running {
    std::unique_ptr<File> file;
    Sha256 hash;  // of the first size_bytes
    std::uint64_t size_bytes = 0;
    bool held = false;
    std::chrono::system_clock::time_point used;
  };

 public:
  // Uploads that nobody holds and that are kept open nevertheless, for the next piece.
  static constexpr std::size_t kOpenMax = 256;

  struct Name {
    std::string repository;
    std::string id;

    auto operator<=>(const Name&) const = default;
  };

  Uploads(BlobFiles& files, Clock& clock) : files_(files), clock_(clock) {}

  // One request's hold on an upload: nobody else appends meanwhile. What it appended stays when it is destroyed.
  class Hold {
   public:
    Hold(Hold&& other) noexcept
        : uploads_(std::exchange(other.uploads_, nullptr)),
          name_(std::move(other.name_)),
          running_(other.running_),
          sealed_(other.sealed_) {}
    Hold& operator=(Hold&&) = delete;
    ~Hold();

    const Name& name() const { return name_; }
    std::uint64_t size_bytes() const { return running_->size_bytes; }
    // All of `piece` or nothing. kResourceExhausted on a full disk.
    Status Append(ByteSpan piece);
    // The bytes are whole, synced, and have this digest: Repositories::AddBlob can publish them, as long as this hold
    // lasts. kOutOfRange, and the upload is gone, if they have another.
    Status Seal(const Digest& digest);
    // Ends the upload, and what came of it is gone.
    Status Cancel();

   private:
    friend class Uploads;
    Hold(Uploads* uploads, Name name, Running* running)
        : uploads_(uploads), name_(std::move(name)), running_(running) {}
    void Forget();

    Uploads* uploads_;  // null: moved from, or ended
    Name name_;
    Running* running_;
    bool sealed_ = false;  // its hash is spent: whoever takes the upload up next reads the file anew
  };

  Result<Hold> Start(const std::string& repository) EXCLUDES(mutex_);
  // kNotFound if there is no such upload; kAborted if another request holds it.
  Result<Hold> Continue(const Name& name) EXCLUDES(mutex_);

 private:
  Result<Hold> TakeUp(const Name& name) EXCLUDES(mutex_);
  void CloseOldest() REQUIRES(mutex_);

  BlobFiles& files_;
  Clock& clock_;
  Mutex mutex_;
  // A Running that is held is its holder's: only `held` is read under the lock.
  std::map<Name, Running> running_ GUARDED_BY(mutex_);
};

}  // namespace varve
