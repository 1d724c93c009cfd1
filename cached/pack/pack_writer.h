#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "cached/base/fs.h"
#include "cached/base/mutex.h"
#include "cached/pack/format.h"

namespace varve {

// Where a frame lies.
struct PackLocation {
  PackId pack;
  std::uint32_t offset_bytes = 0;
  std::uint32_t length_bytes = 0;

  auto operator<=>(const PackLocation&) const = default;
};

// Appends frames to one pack file. Not thread-safe: one writer per open pack, but Sync may run beside Append (it covers
// what was appended before it was called). Nothing is durable before Sync() returns OK. A failed write or Sync() leaves
// the pack unusable for appending.
class PackWriter {
 public:
  // kAlreadyExists if the pack is there; kResourceExhausted on a full disk. `fs` must outlive the writer.
  static Result<PackWriter> Create(Fs& fs, const std::string& directory, PackId id);
  // Goes on behind byte `durable_length`, cutting off what lies behind it.
  static Result<PackWriter> Reopen(Fs& fs, const std::string& directory, PackId id, std::uint64_t durable_length);

  // Appends a frame. `stored` is the payload as `codec` coded it.
  Result<PackLocation> Append(FrameKind kind, Codec codec, ByteSpan stored, std::uint32_t raw_length,
                              const Digest& sha256);
  // Appends a frame that another pack has, byte for byte.
  Result<PackLocation> AppendFrame(ByteSpan frame);

  // True if a frame of `raw_length` bytes may not fit any more.
  bool Full(std::uint32_t raw_length) const;
  // Once it has failed it fails for ever: the kernel reports a lost write only once. For the same reason one call waits
  // for another: a second fdatasync beside one that is about to fail would succeed.
  Status Sync();

  PackId id() const { return id_; }
  std::uint64_t size() const { return size_; }

 private:
  PackWriter(PackId id, std::unique_ptr<File> file, std::uint64_t size)
      : id_(id), file_(std::move(file)), size_(size) {}
  Status CheckNotLost() const;

  PackId id_;
  std::unique_ptr<File> file_;
  std::uint64_t size_;
  Bytes buffer_;
  struct Syncing {
    Mutex mutex;                       // held over fdatasync (docs/design/locking.md)
    std::atomic<bool> failed = false;  // set under the mutex; appending only looks
  };
  std::unique_ptr<Syncing> syncing_ = std::make_unique<Syncing>();
};

}  // namespace varve
