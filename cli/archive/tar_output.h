#pragma once

#include <memory>
#include <string>

#include "cached/base/bytes.h"

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

}  // namespace varve
