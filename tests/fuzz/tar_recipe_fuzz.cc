// Any bytes as the one block of a tar recipe, its checksum put right: refused, or a tar within its bound.

#include <cstddef>
#include <cstdint>

#include "cached/content/sha256.h"
#include "cached/ingest/tar_recipe.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  constexpr std::size_t kSumBytes = 8;
  constexpr std::uint64_t kTarBytesMax = 1 << 20;
  if (size < kSumBytes) return 0;
  const varve::ByteSpan bytes = std::as_bytes(std::span(input, size));
  varve::Bytes block(bytes.begin(), bytes.end());
  varve::StoreLittle(block.data() + size - kSumBytes, varve::Xxh3Of(bytes.first(size - kSumBytes)));
  bool given = false;
  std::uint64_t tar_bytes = 0;
  const varve::TarReplay replay{
      .next_block = [&]() -> varve::Result<std::optional<varve::ByteSpan>> {
        if (std::exchange(given, true)) return std::optional<varve::ByteSpan>();
        return std::optional<varve::ByteSpan>(block);
      },
      .chunk = [](std::uint32_t) -> varve::Result<varve::ByteSpan> { return varve::AsBytes("chunk"); },
      .on_tar = [&](varve::ByteSpan piece) -> varve::Status {
        tar_bytes += piece.size();
        return varve::Ok();
      }};
  varve::ReplayTarRecipe({}, kTarBytesMax, replay).IgnoreError("no input knows the SHA-256 of its tar");
  VARVE_CHECK(tar_bytes <= kTarBytesMax);
  return 0;
}
