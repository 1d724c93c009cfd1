#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cached/base/fs.h"
#include "cached/pack/format.h"

namespace varve {

// Reads frames of one pack. Thread-safe: a pack never changes where a frame was written. Errors name pack and offset.
class PackReader {
 public:
  // kNotFound if there is no such pack; kDataLoss if its header is another pack's.
  static Result<PackReader> Open(Fs& fs, const std::string& directory, PackId id);

  // The bytes [offset, offset + length) of the pack: one frame as a locator names it. kDataLoss if the pack ends
  // before.
  Result<Bytes> ReadRaw(std::uint64_t offset, std::uint32_t length) const;
  // The same into memory that the caller has: all of `into` is filled.
  Status ReadRawInto(std::uint64_t offset, std::span<std::byte> into) const;
  // True if all of `into` was filled from memory, without waiting for a disk.
  bool ReadRawAtOnce(std::uint64_t offset, std::span<std::byte> into) const;

  struct Frame {
    FrameHeader header;
    Bytes bytes;  // header and all
  };
  // kDataLoss if no frame of at most `length` bytes begins there.
  Result<Frame> ReadFrame(std::uint64_t offset, std::uint32_t length) const;

  Result<std::uint64_t> Size() const { return file_->Size(); }
  PackId id() const { return id_; }

  // Calls `visit` for the header of each frame from the first on, in order, until `end` or an error. A stretch where no
  // frame begins is passed to `damaged` and skipped: the next 128-byte boundary with a sound header continues.
  using Visit = std::function<Status(std::uint64_t offset, const FrameHeader& header)>;
  using Damaged = std::function<void(std::uint64_t from, std::uint64_t to)>;
  Status Scan(std::uint64_t end, const Visit& visit, const Damaged& damaged) const;

 private:
  PackReader(PackId id, std::unique_ptr<File> file) : id_(id), file_(std::move(file)) {}
  std::string At(std::uint64_t offset) const;

  PackId id_;
  std::unique_ptr<File> file_;
};

}  // namespace varve
