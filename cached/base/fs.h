#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cached/base/bytes.h"
#include "cached/base/fd.h"
#include "cached/base/result.h"

namespace varve {

enum class OpenMode {
  kRead,            // kNotFound if absent
  kReadWrite,       // kNotFound if absent
  kCreateNew,       // kAlreadyExists if present; 0600
  kCreateTruncate,  // 0600
};

// One open file. Reads may run in parallel with anything; writes are the caller's to order.
class File {
 public:
  virtual ~File() = default;
  // All of `bytes` at `offset`. Nothing is durable before Sync() returns OK.
  virtual Status WriteAt(std::uint64_t offset, ByteSpan bytes) = 0;
  // How much was read: less than asked only at the end of the file.
  virtual Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> into) const = 0;
  virtual Status Truncate(std::uint64_t size) = 0;
  virtual Status Sync() = 0;  // fdatasync
  virtual Result<std::uint64_t> Size() const = 0;
  virtual int fd() const = 0;  // for mmap and preadv2, while the File lives
};

// The file system seam: tests fail its n-th operation and drop what was not synced (tests/support/fault_fs.h).
// Thread-safe. Errors name the path. Durability of names: Create and Rename need SyncDirectory of the parent.
class Fs {
 public:
  virtual ~Fs() = default;
  virtual Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  virtual Status Remove(const std::string& path) = 0;
  virtual Status MakeDirectories(const std::string& path) = 0;
  virtual Status SyncDirectory(const std::string& path) = 0;
  virtual Result<std::vector<std::string>> List(const std::string& directory) = 0;  // names, sorted
  virtual Result<std::uint64_t> FileSize(const std::string& path) = 0;
  virtual Result<std::chrono::system_clock::time_point> ModifiedAt(const std::string& path) = 0;  // its content
  virtual Result<std::uint64_t> FreeBytes(const std::string& directory) = 0;  // that can still be written there

  static Fs& Real();
};

// Writes `path` whole or not at all: a temporary file beside it, Sync, Rename, SyncDirectory. Two that may write the
// same path at once need two temporary names.
Status WriteFileAtomically(Fs& fs, const std::string& path, const std::string& temporary, ByteSpan bytes);
Status WriteFileAtomically(Fs& fs, const std::string& path, ByteSpan bytes);  // PATH.new
// kResourceExhausted if the file is larger than `most_bytes`.
Result<Bytes> ReadWholeFile(Fs& fs, const std::string& path, std::uint64_t most_bytes);

// A file mapped read-only, until destroyed. The file may be unlinked meanwhile; one that shrinks ends the process with
// SIGBUS.
class MappedFile {
 public:
  static Result<MappedFile> Open(Fs& fs, const std::string& path);
  // Shared and writable: what is stored is seen by every other mapping of the file. Its length is `file`'s.
  static Result<MappedFile> OpenWritable(Fs& fs, const std::string& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  ByteSpan bytes() const { return {data_, size_}; }
  std::span<std::byte> writable() const { return {data_, size_}; }

 private:
  MappedFile(std::byte* data, std::size_t size) : data_(data), size_(size) {}
  static Result<MappedFile> Map(Fs& fs, const std::string& path, OpenMode mode, int protection);

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace varve
