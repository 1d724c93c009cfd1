#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "cached/base/result.h"
#include "cached/ingest/literal_stream.h"
#include "cached/ingest/tar_header.h"
#include "cached/ingest/tar_limits.h"
#include "cached/tree/entry.h"

namespace varve {

// The four ways in which a tar tells where the segments of a sparse file lie (the essay is in tar_sparse.cc). All of
// them are kInvalidArgument for what is no map, kDataLoss where the tar ends inside one, and kResourceExhausted above
// limits.sparse_segments.

// PAX 0.1: the value of GNU.sparse.map.
Result<std::vector<Segment>> ParsePaxSparseMap(std::string_view text, const TarLimits& limits);

// PAX 1.0: the map stands in front of the content and is read off it, as literal. `content_left` counts it down.
Result<std::vector<Segment>> ReadStoredSparseMap(LiteralStream& tar, std::uint64_t& content_left,
                                                 const TarLimits& limits);

// Old GNU, type 'S': in the header and in extension blocks behind it, which are read as literal.
struct GnuSparseMap {
  std::vector<Segment> segments;
  std::uint64_t size_bytes;  // logical
};
Result<GnuSparseMap> ReadGnuSparseMap(const TarHeader& header, LiteralStream& tar, const TarLimits& limits);

// Brings segments into the form that TarReader::Next promises. kInvalidArgument unless they ascend, do not overlap, lie
// inside `size_bytes` and add up to `stored_bytes`.
Status NormalizeSegments(std::vector<Segment>& segments, std::uint64_t size_bytes, std::uint64_t stored_bytes);

Error TooManySegments(const TarLimits& limits);

}  // namespace varve
