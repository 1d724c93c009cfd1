// Any bytes as a tar: no crash, no unbounded memory, and every byte comes back, as literal or as content, up to where
// an error is.

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "cached/ingest/tar_reader.h"

namespace varve {
namespace {

void ReadTar(ByteSpan tar) {
  Bytes seen;
  const auto note = [&seen](ByteSpan bytes) { seen.insert(seen.end(), bytes.begin(), bytes.end()); };
  const auto check = [&] {
    VARVE_CHECK(seen.size() <= tar.size());
    VARVE_CHECK(std::equal(seen.begin(), seen.end(), tar.begin()));
  };
  MemorySource source(tar, 700);
  TarReader reader(source, TarLimits{.extension_bytes = 4096, .sparse_segments = 64, .entries = 1000}, note);
  bool read_content = true;
  while (true) {
    const auto entry = reader.Next();
    check();
    if (!entry.ok()) return;
    if (!*entry) break;
    std::array<std::byte, 300> content;
    while (read_content && reader.content_left() > 0) {
      const auto size = reader.ReadContent(content);
      if (!size.ok()) return;
      note(ByteSpan(content).first(*size));
    }
    read_content = !read_content;
  }
  VARVE_CHECK(reader.DrainTail().ok());
  VARVE_CHECK(seen.size() == tar.size());
  check();
}

// The same with the right checksum in every block, past which random bytes would hardly ever come.
Bytes Sealed(ByteSpan tar) {
  constexpr std::size_t kChecksumOffset = 148;
  constexpr std::size_t kChecksumBytes = 8;
  Bytes sealed(tar.begin(), tar.end());
  for (std::size_t at = 0; at + kTarBlockBytes <= sealed.size(); at += kTarBlockBytes) {
    const std::span block = std::span(sealed).subspan(at, kTarBlockBytes);
    if (IsZeroBlock(block)) continue;
    const std::span checksum = block.subspan(kChecksumOffset, kChecksumBytes);
    std::ranges::fill(checksum, std::byte{' '});
    unsigned sum = 0;
    for (const std::byte byte : block) sum += std::to_integer<unsigned>(byte);
    std::ranges::copy(AsBytes(fmt::format("{:06o}", sum)), checksum.begin());
  }
  return sealed;
}

}  // namespace
}  // namespace varve

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  const varve::ByteSpan tar = std::as_bytes(std::span(input, size));
  varve::ReadTar(tar);
  varve::ReadTar(varve::Sealed(tar));
  return 0;
}
