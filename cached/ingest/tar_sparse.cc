// Sparse files in tars. The content holds the segments only, one behind the other; a map says where each lies. For a
// file of 1 MiB with the four bytes "head" at 0 and "tail" at 524,288, the content is "headtail" and the map is, in
// each of the four formats that GNU tar has written since 1990:
//
//   old GNU   type 'S'. Four segments in the header at 386, each two 12-byte numbers, offset and length; the byte at
//   482 says whether a
//             block of 21 more follows the header (there the byte at 504 says so again); the logical size is at 483.
//   PAX 0.0   records GNU.sparse.offset=0, GNU.sparse.numbytes=4, GNU.sparse.offset=524288, …: one key many times,
//   which POSIX
//             forbids, hence
//   PAX 0.1   GNU.sparse.map=0,4,524288,4. In both the logical size is GNU.sparse.size and the header's path is the
//   file's own, or
//             GNU.sparse.name where there is one.
//   PAX 1.0   GNU.sparse.major=1, minor=0, realsize=1048576, name=…; the content begins with the map,
//   "2\n0\n4\n524288\n4\n" filled
//             with NULs to a multiple of 512 bytes, and the header's size counts it in.
//
// A map from 1.0 is part of the content area of the tar but not of the file: it leaves as literal, so that chunks hold
// file content only. GNU tar ends a map with an empty segment at the logical size where the file ends in a hole; it
// carries nothing and is dropped.
//
// Maps are input: a segment that overlaps another, or leads out of the file, would let a small tar describe a file that
// never ends.
//
// Source: GNU tar 1.34 manual, "Storing Sparse Files"; the same rules as Go's archive/tar, which the container world
// reads tars with.

#include "cached/ingest/tar_sparse.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

namespace varve {
namespace {

constexpr std::size_t kNumberBytes = 12;
constexpr std::size_t kHeaderMapOffset = 386;
constexpr std::size_t kHeaderMapSegments = 4;
constexpr std::size_t kRealSizeOffset = 483;
constexpr std::size_t kExtensionSegments = 21;

Error Malformed(std::string_view what) { return Error(Code::kInvalidArgument, fmt::format("sparse map: {}", what)); }

Result<std::uint64_t> ParseUnsigned(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return Malformed("not a decimal number, or too large");
  return value;
}

Result<std::uint64_t> ParseField(ByteSpan block, std::size_t offset) {
  VARVE_ASSIGN_OR_RETURN(const std::int64_t value, ParseTarNumber(block.subspan(offset, kNumberBytes)));
  if (value < 0) return Malformed("a negative number");
  return static_cast<std::uint64_t>(value);
}

// A map in the content, number by number, block by block.
class StoredMap {
 public:
  StoredMap(LiteralStream& tar, std::uint64_t& content_left) : tar_(tar), content_left_(content_left) {}

  Result<std::uint64_t> Number() {
    constexpr std::size_t kDigitsMax = 20;
    std::string digits;
    while (true) {
      if (at_ == block_.size()) VARVE_RETURN_IF_ERROR(NextBlock());
      const char c = block_[at_++];
      if (c == '\n') return ParseUnsigned(digits);
      if (digits.size() == kDigitsMax) return Malformed("a number of more than 20 digits");
      digits += c;
    }
  }

 private:
  Status NextBlock() {
    if (content_left_ < kTarBlockBytes) return Malformed("leads out of the content");
    VARVE_ASSIGN_OR_RETURN(const ByteSpan block, tar_.Peek(kTarBlockBytes));
    if (block.size() < kTarBlockBytes) return Error(Code::kDataLoss, "truncated: the tar ends inside a sparse map");
    block_ = AsText(block);
    at_ = 0;
    tar_.PassLiteral(kTarBlockBytes);
    content_left_ -= kTarBlockBytes;
    return Ok();
  }

  LiteralStream& tar_;
  std::uint64_t& content_left_;
  std::string block_;
  std::size_t at_ = 0;
};

// Adds the segments of one header or extension block; a number field that begins with a NUL ends the map.
Status AddGnuSegments(ByteSpan fields, std::vector<Segment>& segments, const TarLimits& limits) {
  for (std::size_t at = 0; at < fields.size() && fields[at] != std::byte{0}; at += 2 * kNumberBytes) {
    if (segments.size() == limits.sparse_segments) return TooManySegments(limits);
    VARVE_ASSIGN_OR_RETURN(const std::uint64_t offset, ParseField(fields, at));
    VARVE_ASSIGN_OR_RETURN(const std::uint64_t length, ParseField(fields, at + kNumberBytes));
    segments.push_back({offset, length});
  }
  return Ok();
}

ByteSpan GnuFields(ByteSpan block, std::size_t offset, std::size_t segments) {
  return block.subspan(offset, segments * 2 * kNumberBytes);
}

}  // namespace

Result<std::vector<Segment>> ParsePaxSparseMap(std::string_view text, const TarLimits& limits) {
  std::vector<Segment> segments;
  const auto take = [&text]() {
    const std::size_t comma = std::min(text.find(','), text.size());
    const auto number = ParseUnsigned(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
    return number;
  };
  while (!text.empty()) {
    if (segments.size() == limits.sparse_segments) return TooManySegments(limits);
    VARVE_ASSIGN_OR_RETURN(const std::uint64_t offset, take());
    VARVE_ASSIGN_OR_RETURN(const std::uint64_t length, take());
    segments.push_back({offset, length});
  }
  return segments;
}

Result<std::vector<Segment>> ReadStoredSparseMap(LiteralStream& tar, std::uint64_t& content_left,
                                                 const TarLimits& limits) {
  StoredMap map(tar, content_left);
  VARVE_ASSIGN_OR_RETURN(const std::uint64_t count, map.Number());
  if (count > limits.sparse_segments) return TooManySegments(limits);
  std::vector<Segment> segments;
  for (std::uint64_t i = 0; i < count; ++i) {
    VARVE_ASSIGN_OR_RETURN(const std::uint64_t offset, map.Number());
    VARVE_ASSIGN_OR_RETURN(const std::uint64_t length, map.Number());
    segments.push_back({offset, length});
  }
  return segments;
}

Result<GnuSparseMap> ReadGnuSparseMap(const TarHeader& header, LiteralStream& tar, const TarLimits& limits) {
  GnuSparseMap map;
  VARVE_ASSIGN_OR_RETURN(map.size_bytes, ParseField(header.block, kRealSizeOffset));
  const ByteSpan in_header = GnuFields(header.block, kHeaderMapOffset, kHeaderMapSegments);
  VARVE_RETURN_IF_ERROR(AddGnuSegments(in_header, map.segments, limits));
  bool goes_on = header.block[kHeaderMapOffset + in_header.size()] != std::byte{0};
  while (goes_on) {
    VARVE_ASSIGN_OR_RETURN(const ByteSpan block, tar.Peek(kTarBlockBytes));
    if (block.size() < kTarBlockBytes) return Error(Code::kDataLoss, "truncated: the tar ends inside a sparse map");
    const ByteSpan fields = GnuFields(block, 0, kExtensionSegments);
    const std::size_t count = map.segments.size();
    VARVE_RETURN_IF_ERROR(AddGnuSegments(fields, map.segments, limits));
    goes_on = block[fields.size()] != std::byte{0};
    if (goes_on && map.segments.size() == count) return Malformed("goes on behind an empty extension block");
    tar.PassLiteral(kTarBlockBytes);
  }
  return map;
}

Status NormalizeSegments(std::vector<Segment>& segments, std::uint64_t size_bytes, std::uint64_t stored_bytes) {
  std::uint64_t end = 0;
  std::uint64_t stored = 0;
  for (const auto& [offset, length] : segments) {
    if (offset < end) return Malformed(fmt::format("the segment at {} begins inside the one before it", offset));
    if (offset > size_bytes || length > size_bytes - offset) {
      return Malformed(
          fmt::format("the segment of {} bytes at {} leads out of a file of {}", length, offset, size_bytes));
    }
    end = offset + length;
    stored += length;
  }
  if (stored != stored_bytes) {
    return Malformed(fmt::format("segments of {} bytes, but {} are stored", stored, stored_bytes));
  }
  std::erase_if(segments, [](const Segment& segment) { return segment.length == 0; });
  if (segments.empty()) segments.push_back({size_bytes, 0});
  return Ok();
}

Error TooManySegments(const TarLimits& limits) {
  return Error(Code::kResourceExhausted,
               fmt::format("more than {} segments, the limit for a sparse file", limits.sparse_segments));
}

}  // namespace varve
