#include "cli/archive/image_files.h"

#include <fmt/core.h>

namespace varve {

Result<Bytes> ReadSmall(ImageFiles& files, const std::string& name, std::size_t most_bytes) {
  Bytes bytes;
  VARVE_RETURN_IF_ERROR(files.Read(name, [&](ByteSpan piece) -> Status {
    if (piece.size() > most_bytes - bytes.size()) {
      return Error(Code::kResourceExhausted,
                   fmt::format("{}: {} is larger than the limit of {} bytes", files.what(), name, most_bytes));
    }
    bytes.insert(bytes.end(), piece.begin(), piece.end());
    return Ok();
  }));
  return bytes;
}

}  // namespace varve
