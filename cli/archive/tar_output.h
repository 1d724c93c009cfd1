#pragma once

#include <memory>
#include <string>

#include "cached/base/bytes.h"
#include "cached/base/fd.h"

namespace varve {

// Writes a tar whose bytes depend on its members alone: times are 0, owners root. Not thread-safe; no call after an
// error.
class TarOutput {
 public:
  // Writes to `fd`, which must outlive it.
  static Result<TarOutput> Create(int fd);
  TarOutput(TarOutput&&) noexcept;
  ~TarOutput();

  Status AddDirectory(const std::string& name);
  Status AddFile(const std::string& name, ByteSpan content);
  // A file of exactly `size_bytes`, which come by Append.
  Status StartFile(const std::string& name, std::uint64_t size_bytes);
  Status Append(ByteSpan piece);
  // kInternal if a file is shorter than was said.
  Status Finish();

 private:
  struct State;
  explicit TarOutput(std::unique_ptr<State> state);
  Status StartMember(const std::string& name, unsigned mode, std::uint64_t size_bytes);

  std::unique_ptr<State> state_;
};

// Where an archive goes: standard output, or a file that appears under its name only once it is whole.
class ArchiveDestination {
 public:
  // Standard output if `path` is empty. kInvalidArgument for a terminal, or if `path` is there and no regular file.
  static Result<ArchiveDestination> Open(std::string path);
  ArchiveDestination(ArchiveDestination&&) noexcept = default;
  ~ArchiveDestination();

  int fd() const { return fd_.get(); }
  // Makes it durable and gives it its name.
  Status Publish();

 private:
  ArchiveDestination(std::string path, std::string temporary, UniqueFd fd)
      : path_(std::move(path)), temporary_(std::move(temporary)), fd_(std::move(fd)) {}

  std::string path_;       // empty: standard output
  std::string temporary_;  // empty: there is none any more
  UniqueFd fd_;
};

}  // namespace varve
