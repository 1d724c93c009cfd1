#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cached/base/bytes.h"
#include "cached/ingest/tar_header.h"
#include "cached/ingest/tar_limits.h"
#include "cached/tree/entry.h"
#include "tests/support/temp_dir.h"

namespace varve {

// The standard output of a shell script that has to succeed; runs in `directory`.
Bytes Shell(const std::string& script, const std::string& directory = "/");

// The tar that a python script writes with `tar`, a tarfile opened for writing in `format` ("GNU", "PAX", "USTAR"). The
// script may call add(name, data=b'', **attributes of TarInfo).
Bytes PythonTar(std::string_view format, const std::string& script);

// One header block, made by hand, with a right checksum. Give text fields as they are to stand there.
class HeaderBlock {
 public:
  explicit HeaderBlock(std::string_view name, char type = '0');

  HeaderBlock& Set(std::size_t offset, std::string_view text);
  HeaderBlock& Size(std::uint64_t size_bytes);
  // Without checksum() being right any more.
  HeaderBlock& Break(std::size_t offset, char c);
  Bytes bytes() const;

 private:
  void Seal();
  TarBlock block_{};
};

// `content` filled up with NULs to whole blocks.
Bytes Padded(std::string_view content);
// One PAX record with its length.
std::string PaxRecord(std::string_view key, std::string_view value);
// A PAX header entry with these records.
Bytes PaxHeader(std::string_view records, char type = 'x');

Bytes Join(const std::vector<Bytes>& pieces);
inline Bytes EndBlocks() { return Bytes(2 * kTarBlockBytes); }

struct ReadEntry {
  Entry entry;
  std::string content;  // as stored
};

// All entries of a tar, read in pieces of odd sizes; checks on the way that literals and contents together are the tar.
Result<std::vector<ReadEntry>> ReadTar(ByteSpan tar, TarLimits limits = {});

// The content of a sparse file with its holes.
std::string Expanded(const ReadEntry& file);

}  // namespace varve
