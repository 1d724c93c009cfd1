#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "cached/base/bytes.h"

namespace varve {

// The files that images lie in, by name: members of an archive, or files of a directory. Names come from whoever made
// the images; none of them ever leads out of the archive or directory. Not thread-safe.
class ImageFiles {
 public:
  using Sink = std::function<Status(ByteSpan piece)>;

  virtual ~ImageFiles() = default;
  // For messages: the archive or directory, as the user named it.
  virtual const std::string& what() const = 0;
  // How long the file is; nothing if there is none.
  virtual Result<std::optional<std::uint64_t>> SizeOf(const std::string& name) = 0;
  // Hands the whole file to `sink`, whose error is returned as it is. kNotFound if there is none.
  virtual Status Read(const std::string& name, const Sink& sink) = 0;
};

// A small file, whole. kResourceExhausted if it is longer than `most_bytes`.
Result<Bytes> ReadSmall(ImageFiles& files, const std::string& name, std::size_t most_bytes);

}  // namespace varve
