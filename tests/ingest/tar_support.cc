#include "tests/ingest/tar_support.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>

#include "cached/ingest/tar_reader.h"

namespace varve {

Bytes Shell(const std::string& script, const std::string& directory) {
  const TempDir scratch;
  const std::string file = scratch / "script";
  std::ofstream(file) << "set -eu\ncd '" << directory << "'\n" << script << "\n";
  FILE* const pipe = popen(("sh '" + file + "'").c_str(), "r");
  VARVE_CHECK(pipe != nullptr);
  Bytes output;
  std::array<std::byte, 65536> piece;
  while (const std::size_t size = fread(piece.data(), 1, piece.size(), pipe)) {
    output.insert(output.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(size));
  }
  EXPECT_EQ(pclose(pipe), 0) << script;
  return output;
}

Bytes PythonTar(std::string_view format, const std::string& script) {
  const std::string program = fmt::format(
      "import io, sys, tarfile\n"
      "tar = tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=tarfile.{}_FORMAT)\n"
      "def add(name, data=b'', **attributes):\n"
      "    info = tarfile.TarInfo(name)\n"
      "    info.size = len(data)\n"
      "    for key, value in attributes.items(): setattr(info, key, value)\n"
      "    tar.addfile(info, io.BytesIO(data))\n"
      "{}\n"
      "tar.close()\n",
      format, script);
  return Shell("python3 - <<'PYTHON'\n" + program + "PYTHON");
}

HeaderBlock::HeaderBlock(std::string_view name, char type) {
  Set(0, name).Set(100, "0000644").Set(108, "0000000").Set(116, "0000000").Set(136, "00000000000");
  Set(156, {&type, 1})
      .Set(257, std::string_view("ustar\0"
                                 "00",
                                 8));
  Size(0);
}

HeaderBlock& HeaderBlock::Set(std::size_t offset, std::string_view text) {
  std::ranges::copy(AsBytes(text), block_.begin() + static_cast<std::ptrdiff_t>(offset));
  Seal();
  return *this;
}

HeaderBlock& HeaderBlock::Size(std::uint64_t size_bytes) { return Set(124, fmt::format("{:011o}", size_bytes)); }

HeaderBlock& HeaderBlock::Break(std::size_t offset, char c) {
  block_[offset] = static_cast<std::byte>(c);
  return *this;
}

Bytes HeaderBlock::bytes() const { return {block_.begin(), block_.end()}; }

void HeaderBlock::Seal() {
  constexpr std::size_t kChecksumOffset = 148;
  std::fill_n(block_.begin() + kChecksumOffset, 8, std::byte{' '});
  unsigned sum = 0;
  for (const std::byte byte : block_) sum += std::to_integer<unsigned>(byte);
  std::ranges::copy(AsBytes(fmt::format("{:06o}", sum)), block_.begin() + kChecksumOffset);
}

Bytes Padded(std::string_view content) {
  Bytes bytes = ToBytes(content);
  bytes.resize((bytes.size() + kTarBlockBytes - 1) / kTarBlockBytes * kTarBlockBytes);
  return bytes;
}

std::string PaxRecord(std::string_view key, std::string_view value) {
  const std::string text = fmt::format(" {}={}\n", key, value);
  std::size_t length = text.size();
  while (length != text.size() + std::to_string(length).size()) length = text.size() + std::to_string(length).size();
  return std::to_string(length) + text;
}

Bytes PaxHeader(std::string_view records, char type) {
  return Join({HeaderBlock("pax", type).Size(records.size()).bytes(), Padded(records)});
}

Bytes Join(const std::vector<Bytes>& pieces) {
  Bytes joined;
  for (const Bytes& piece : pieces) joined.insert(joined.end(), piece.begin(), piece.end());
  return joined;
}

Result<std::vector<ReadEntry>> ReadTar(ByteSpan tar, TarLimits limits) {
  Bytes seen;
  MemorySource source(tar, 997);
  TarReader reader(source, limits,
                   [&seen](ByteSpan literal) { seen.insert(seen.end(), literal.begin(), literal.end()); });
  std::vector<ReadEntry> entries;
  while (true) {
    VARVE_ASSIGN_OR_RETURN(std::optional<Entry> entry, reader.Next());
    if (!entry) break;
    ReadEntry& read = entries.emplace_back(ReadEntry{*std::move(entry), ""});
    std::array<std::byte, 333> piece;
    while (true) {
      VARVE_ASSIGN_OR_RETURN(const std::size_t size, reader.ReadContent(piece));
      if (size == 0) break;
      const ByteSpan content = ByteSpan(piece).first(size);
      read.content += AsText(content);
      seen.insert(seen.end(), content.begin(), content.end());
    }
  }
  VARVE_RETURN_IF_ERROR(reader.DrainTail());
  EXPECT_TRUE(std::ranges::equal(seen, tar)) << "literals and contents are not the tar";
  return entries;
}

std::string Expanded(const ReadEntry& file) {
  std::string expanded(file.entry.size_bytes, '\0');
  std::size_t at = 0;
  for (const auto& [offset, length] : file.entry.segments) {
    expanded.replace(offset, length, file.content.substr(at, length));
    at += length;
  }
  return expanded;
}

}  // namespace varve
