// Any bytes as a compressed stream: no crash, an end within the limits, and the same answer however the input is cut
// into reads.

#include <array>
#include <cstdint>
#include <optional>

#include "cached/ingest/decompressor.h"

namespace varve {
namespace {

// Nothing for a stream that is an error.
std::optional<Bytes> DecompressInPieces(ByteSpan compressed, std::size_t piece_bytes) {
  MemorySource source(compressed, piece_bytes);
  Decompressor decompressor(source, DecompressOptions{.max_output_bytes = 4 << 20});
  Bytes output;
  std::array<std::byte, 5000> piece;
  while (true) {
    const auto size = decompressor.Read(piece);
    if (!size.ok()) return std::nullopt;
    if (*size == 0) return output;
    output.insert(output.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(*size));
  }
}

}  // namespace
}  // namespace varve

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  const varve::ByteSpan compressed = std::as_bytes(std::span(input, size));
  VARVE_CHECK(varve::DecompressInPieces(compressed, 3) == varve::DecompressInPieces(compressed, size));
  return 0;
}
