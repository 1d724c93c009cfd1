// A tar as entries, in the dialects that layers come in.
//
// An archive is a run of 512-byte blocks. An entry is a header block and its content, filled up to whole blocks.
// Entries of the types below carry what a header has no room for, as their content, and belong to the next entry that
// is a file:
//
//   [x "path=…"] [file header] [content, padding]      PAX: pax.cc
//   [L name] [K target] [file header] [content, padding]      GNU: names above 100 bytes, ended by a NUL
//   [g "…"]      PAX global: read over (pax.cc says why)
//
// Types: '0', '\0' (v7) and '7' are files; '1' hard link, '2' symlink, '3' and '4' devices, '5' directory, '6' fifo,
// 'S' old GNU sparse file (tar_sparse.cc). Of these only files have content, whatever the size field says. v7 had no
// type for directories: a path that ends in "/" was one. Anything else (multi-volume 'M', volume label 'V', incremental
// dumps 'D') is no changeset, and an error.
//
// Two zero blocks end the archive. Real ones also end with one, or none, or go on: bytes behind the end belong to the
// diff ID and are reported (DrainTail), but never parsed. A single zero block with more behind it is an error, as for
// Go: readers that stop there and readers that go on would see different trees. Padding that is missing at the very end
// is forgiven.
//
// Where an 'x' and an 'L' both name the file, 'L' wins; of two 'x' the last counts as a whole. Both are Go's rules;
// docker, podman and containerd read layers with Go's archive/tar, and a layer must look here as it does there.

#include "cached/ingest/tar_reader.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "cached/ingest/pax.h"
#include "cached/ingest/tar_sparse.h"

namespace varve {

struct TarReader::Extensions {
  bool any = false;
  PaxAttributes pax;
  std::string gnu_path;
  std::string gnu_link_target;
};

namespace {

// For messages: paths are hostile bytes, terminals obey some of them.
std::string Quoted(std::string_view path) {
  std::string quoted = "\"";
  for (const char c : path) {
    const bool plain = c >= ' ' && c < 0x7f && c != '"' && c != '\\';
    quoted += plain ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return quoted + "\"";
}

bool IsExtension(char type) { return type == 'x' || type == 'g' || type == 'L' || type == 'K'; }

std::uint64_t PaddingOf(std::uint64_t size_bytes) {
  return (kTarBlockBytes - size_bytes % kTarBlockBytes) % kTarBlockBytes;
}

Result<EntryType> TypeOf(char type, std::string_view path, std::uint64_t size_bytes) {
  switch (type) {
    case '\0':
      return path.ends_with('/') ? EntryType::kDirectory : EntryType::kFile;
    case '0':
    case '7':
      return path.ends_with('/') && size_bytes == 0 ? EntryType::kDirectory : EntryType::kFile;
    case 'S':
      return EntryType::kFile;
    case '1':
      return EntryType::kHardLink;
    case '2':
      return EntryType::kSymlink;
    case '3':
      return EntryType::kCharDevice;
    case '4':
      return EntryType::kBlockDevice;
    case '5':
      return EntryType::kDirectory;
    case '6':
      return EntryType::kFifo;
    default:
      return Error(Code::kInvalidArgument, fmt::format("type {} has no place in a layer", Quoted({&type, 1})));
  }
}

Result<std::uint32_t> ToU32(std::int64_t value, std::string_view what) {
  if (value < 0 || value > std::numeric_limits<std::uint32_t>::max()) {
    return Error(Code::kInvalidArgument, fmt::format("{} {} is not a number of 32 bits", what, value));
  }
  return static_cast<std::uint32_t>(value);
}

Status CheckLength(std::string_view what, std::size_t size_bytes, std::size_t limit_bytes) {
  if (size_bytes <= limit_bytes) return Ok();
  return Error(Code::kResourceExhausted,
               fmt::format("{} of {} bytes, above the limit of {}", what, size_bytes, limit_bytes));
}

Status CheckPath(std::string_view path, const TarLimits& limits) {
  if (path.empty()) return Error(Code::kInvalidArgument, "no path");
  VARVE_RETURN_IF_ERROR(CheckLength("a path", path.size(), limits.path_bytes));
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    VARVE_RETURN_IF_ERROR(CheckLength("a name", end - at, limits.component_bytes));
    at = end + 1;
  }
  return Ok();
}

}  // namespace

TarReader::TarReader(ByteSource& tar, TarLimits limits, std::function<void(ByteSpan)> on_literal)
    : limits_(limits), stream_(tar, std::move(on_literal)) {}

Result<std::optional<Entry>> TarReader::Next() {
  auto entry = NextEntry();
  if (!entry.ok()) return entry.error().In(Context());
  return entry;
}

Result<std::optional<Entry>> TarReader::NextEntry() {
  VARVE_RETURN_IF_ERROR(SkipRest());
  if (ended_) return std::optional<Entry>();
  entry_path_.clear();
  entry_offset_ = stream_.offset();
  Extensions extensions;
  while (true) {
    VARVE_ASSIGN_OR_RETURN(const std::optional<TarHeader> header, NextHeader());
    if (!header) {
      if (extensions.any) return Error(Code::kInvalidArgument, "an extended header without an entry behind it");
      ended_ = true;
      return std::optional<Entry>();
    }
    if (IsExtension(header->type)) {
      VARVE_RETURN_IF_ERROR(ReadExtension(*header, extensions));
      continue;
    }
    VARVE_ASSIGN_OR_RETURN(std::optional<Entry> entry, MakeEntry(*header, std::move(extensions)));
    return entry;
  }
}

// Nothing at the end of the archive, whose end blocks are then passed.
Result<std::optional<TarHeader>> TarReader::NextHeader() {
  VARVE_ASSIGN_OR_RETURN(ByteSpan block, stream_.Peek(kTarBlockBytes));
  if (block.empty()) return std::optional<TarHeader>();
  if (block.size() < kTarBlockBytes) return Error(Code::kDataLoss, "truncated: the tar ends inside a header");
  if (!IsZeroBlock(block)) {
    VARVE_ASSIGN_OR_RETURN(std::optional<TarHeader> header, ParseTarHeader(block));
    stream_.PassLiteral(kTarBlockBytes);
    return header;
  }
  stream_.PassLiteral(kTarBlockBytes);
  VARVE_ASSIGN_OR_RETURN(block, stream_.Peek(kTarBlockBytes));
  if (!IsZeroBlock(block)) return Error(Code::kInvalidArgument, "a lone zero block, with more behind it");
  stream_.PassLiteral(block.size());
  return std::optional<TarHeader>();
}

Status TarReader::ReadExtension(const TarHeader& header, Extensions& extensions) {
  VARVE_RETURN_IF_ERROR(CheckLength("an extended header", header.size_bytes, limits_.extension_bytes));
  VARVE_ASSIGN_OR_RETURN(const std::string payload, ReadPayload(header.size_bytes));
  if (header.type == 'g') return Ok();
  extensions.any = true;
  if (header.type == 'L') {
    extensions.gnu_path = TarText(AsBytes(payload));
  } else if (header.type == 'K') {
    extensions.gnu_link_target = TarText(AsBytes(payload));
  } else {
    VARVE_ASSIGN_OR_RETURN(extensions.pax, ParsePax(payload, limits_));
  }
  return Ok();
}

Result<std::string> TarReader::ReadPayload(std::uint64_t size_bytes) {
  std::string payload;
  while (payload.size() < size_bytes) {
    const std::size_t wanted = std::min<std::size_t>(size_bytes - payload.size(), LiteralStream::kPeekBytesMax);
    VARVE_ASSIGN_OR_RETURN(const ByteSpan piece, stream_.Peek(wanted));
    if (piece.empty()) return Error(Code::kDataLoss, "truncated: the tar ends inside an extended header");
    payload += AsText(piece);
    stream_.PassLiteral(piece.size());
  }
  VARVE_RETURN_IF_ERROR(stream_.SkipLiteral(PaddingOf(size_bytes)));
  return payload;
}

Result<Entry> TarReader::MakeEntry(const TarHeader& header, Extensions extensions) {
  if (++entry_count_ > limits_.entries) {
    return Error(Code::kResourceExhausted, fmt::format("more than {} entries, the limit of a tar", limits_.entries));
  }
  PaxAttributes& pax = extensions.pax;
  Entry entry;
  entry.path = pax.sparse_name.value_or(pax.path.value_or(header.path));
  if (!extensions.gnu_path.empty()) entry.path = extensions.gnu_path;
  entry_path_ = entry.path;
  VARVE_RETURN_IF_ERROR(CheckPath(entry.path, limits_));
  const std::uint64_t stored_bytes = pax.size_bytes.value_or(header.size_bytes);
  VARVE_ASSIGN_OR_RETURN(entry.type, TypeOf(header.type, entry.path, stored_bytes));
  if (entry.type == EntryType::kHardLink || entry.type == EntryType::kSymlink) {
    entry.link_target = pax.link_target.value_or(header.link_target);
    if (!extensions.gnu_link_target.empty()) entry.link_target = extensions.gnu_link_target;
    if (entry.link_target.empty()) return Error(Code::kInvalidArgument, "a link without a target");
    VARVE_RETURN_IF_ERROR(CheckLength("a link target", entry.link_target.size(), limits_.path_bytes));
  }
  entry.mode = static_cast<std::uint32_t>(header.mode & 07777);
  VARVE_ASSIGN_OR_RETURN(entry.uid, ToU32(pax.uid.value_or(header.uid), "uid"));
  VARVE_ASSIGN_OR_RETURN(entry.gid, ToU32(pax.gid.value_or(header.gid), "gid"));
  VARVE_ASSIGN_OR_RETURN(entry.device_major, ToU32(header.device_major, "device major"));
  VARVE_ASSIGN_OR_RETURN(entry.device_minor, ToU32(header.device_minor, "device minor"));
  const TarTime mtime = pax.mtime.value_or(TarTime{header.mtime_seconds, 0});
  entry.mtime_seconds = mtime.seconds;
  entry.mtime_nanoseconds = mtime.nanoseconds;
  entry.xattrs = std::move(pax.xattrs);
  if (entry.type != EntryType::kFile) return entry;
  if (stored_bytes > INT64_MAX) return Error(Code::kInvalidArgument, "a size above 8 EiB");
  entry.size_bytes = stored_bytes;
  content_left_ = stored_bytes;
  padding_ = PaddingOf(stored_bytes);
  VARVE_RETURN_IF_ERROR(ReadSparseMap(header, extensions, entry));
  entry.sparse = !entry.segments.empty();
  return entry;
}

// Fills in size and segments of a sparse file; leaves any other as it is.
Status TarReader::ReadSparseMap(const TarHeader& header, const Extensions& extensions, Entry& entry) {
  const PaxAttributes& pax = extensions.pax;
  if (header.type == 'S') {
    VARVE_ASSIGN_OR_RETURN(GnuSparseMap map, ReadGnuSparseMap(header, stream_, limits_));
    entry.size_bytes = map.size_bytes;
    entry.segments = std::move(map.segments);
    return NormalizeSegments(entry.segments, entry.size_bytes, content_left_);
  }
  const std::string version = pax.sparse_major.value_or("") + "." + pax.sparse_minor.value_or("");
  if (version == "." && !pax.sparse_map) return Ok();
  entry.size_bytes = pax.sparse_size_bytes.value_or(entry.size_bytes);
  if (entry.size_bytes > INT64_MAX) return Error(Code::kInvalidArgument, "a size above 8 EiB");
  if (version == "1.0") {
    VARVE_ASSIGN_OR_RETURN(entry.segments, ReadStoredSparseMap(stream_, content_left_, limits_));
  } else if (version == "." || version == "0.0" || version == "0.1") {
    entry.segments = pax.sparse_map.value_or(std::vector<Segment>());
  } else {
    return Error(Code::kInvalidArgument, fmt::format("sparse format {} is unknown", Quoted(version)));
  }
  return NormalizeSegments(entry.segments, entry.size_bytes, content_left_);
}

Result<std::size_t> TarReader::ReadContent(std::span<std::byte> into) {
  if (content_left_ == 0) return std::size_t{0};
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), content_left_));
  auto taken = stream_.Take(into.first(wanted));
  if (taken.ok() && *taken == 0) {
    taken =
        Error(Code::kDataLoss, fmt::format("truncated: the tar ends {} bytes before the content does", content_left_));
  }
  if (!taken.ok()) return taken.error().In(Context());
  content_left_ -= *taken;
  return taken;
}

Status TarReader::SkipRest() {
  VARVE_ASSIGN_OR_RETURN(const std::uint64_t skipped, stream_.SkipLiteral(content_left_));
  if (skipped < content_left_) {
    return Error(Code::kDataLoss,
                 fmt::format("truncated: the tar ends {} bytes before the content does", content_left_ - skipped));
  }
  content_left_ = 0;
  VARVE_RETURN_IF_ERROR(stream_.SkipLiteral(padding_));
  padding_ = 0;
  return Ok();
}

Status TarReader::DrainTail() {
  VARVE_CHECK(ended_);
  VARVE_RETURN_IF_ERROR(stream_.SkipLiteral(std::numeric_limits<std::uint64_t>::max()));
  return Ok();
}

std::string TarReader::Context() const {
  if (entry_path_.empty()) return fmt::format("tar entry at offset {}", entry_offset_);
  return fmt::format("tar entry {} at offset {}", Quoted(entry_path_), entry_offset_);
}

}  // namespace varve
