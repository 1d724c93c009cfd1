#pragma once

#include <string>
#include <utility>

#include "cached/base/bytes.h"
#include "cached/base/fd.h"

namespace varve {

// A file that appears under its name only once it is whole, or standard output.
class OutputFile {
 public:
  // Standard output if `path` is empty. kInvalidArgument for a terminal, or if `path` is there and no regular file.
  static Result<OutputFile> Open(std::string path);
  OutputFile(OutputFile&&) noexcept = default;
  OutputFile& operator=(OutputFile&&) noexcept = delete;
  ~OutputFile();

  int fd() const { return fd_.get(); }
  Status Write(ByteSpan bytes);
  // Makes it durable and gives it its name.
  Status Publish();

 private:
  OutputFile(std::string path, std::string temporary, UniqueFd fd)
      : path_(std::move(path)), temporary_(std::move(temporary)), fd_(std::move(fd)) {}

  std::string path_;       // empty: standard output
  std::string temporary_;  // empty: there is none any more
  UniqueFd fd_;
};

// All of `bytes`; the error does not say what `fd` is.
Status WriteAll(int fd, ByteSpan bytes);

}  // namespace varve
