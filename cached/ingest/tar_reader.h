#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "cached/ingest/byte_source.h"
#include "cached/ingest/literal_stream.h"
#include "cached/ingest/tar_header.h"
#include "cached/ingest/tar_limits.h"
#include "cached/tree/entry.h"

namespace varve {

// Reads a tar entry by entry: v7, ustar, PAX and GNU, with every form of sparse file (the essay is in tar_reader.cc).
// Each byte of the tar leaves exactly once, in stream order: content that ReadContent hands out, or a literal. Hence
// literals and contents together are the exact tar; docs/format/tar-recipe.md is built on that. Not thread-safe; no
// call after an error.
class TarReader {
 public:
  // `tar` must outlive this. `on_literal` gets headers, extension payloads, padding, end blocks, what follows them, and
  // content that the caller did not read; its span lives during the call only.
  TarReader(ByteSource& tar, TarLimits limits, std::function<void(ByteSpan)> on_literal);

  // The next entry; nothing at the end of the archive. Errors name the entry and its offset in the tar:
  // kInvalidArgument for a malformed tar, kDataLoss for a truncated one or a wrong header checksum, kResourceExhausted
  // beyond a limit, else the source's.
  // Names are as they stand in the tar, hostile ones too ("../../etc/passwd"). mtime is rounded down: -0.25 s is {-1,
  // 750000000}. Segments ascend, are disjoint, inside the file and not empty; but a file that is all hole has the one
  // segment {size_bytes, 0}.
  Result<std::optional<Entry>> Next();

  // The content of the entry that Next gave last: 1 to into.size() bytes of it, 0 at its end. Of a sparse file, the
  // segments, packed. `into` is not empty.
  Result<std::size_t> ReadContent(std::span<std::byte> into);
  // How much ReadContent has still to give.
  std::uint64_t content_left() const { return content_left_; }

  // After Next said the end: reports what stands behind the end blocks, up to the end of the source.
  Status DrainTail();

 private:
  struct Extensions;

  Result<std::optional<Entry>> NextEntry();
  Result<std::optional<TarHeader>> NextHeader();
  Status ReadExtension(const TarHeader& header, Extensions& extensions);
  Result<std::string> ReadPayload(std::uint64_t size_bytes);
  Result<Entry> MakeEntry(const TarHeader& header, Extensions extensions);
  Status ReadSparseMap(const TarHeader& header, const Extensions& extensions, Entry& entry);
  Status SkipRest();
  std::string Context() const;

  const TarLimits limits_;
  LiteralStream stream_;
  std::uint64_t entry_count_ = 0;
  std::uint64_t entry_offset_ = 0;  // of the first header of the entry at hand
  std::string entry_path_;          // empty until it is known
  std::uint64_t content_left_ = 0;
  std::uint64_t padding_ = 0;  // behind the content
  bool ended_ = false;
};

}  // namespace varve
