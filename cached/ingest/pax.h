#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cached/base/result.h"
#include "cached/ingest/tar_limits.h"
#include "cached/tree/entry.h"

namespace varve {

struct TarTime {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;

  bool operator==(const TarTime&) const = default;
};

// What a PAX header says about the entry behind it; what is not set here stands in the entry's own header.
struct PaxAttributes {
  std::optional<std::string> path;
  std::optional<std::string> link_target;
  std::optional<std::uint64_t> size_bytes;  // of what is stored
  std::optional<std::int64_t> uid;
  std::optional<std::int64_t> gid;
  std::optional<TarTime> mtime;
  std::map<std::string, std::string> xattrs;

  // GNU.sparse.*; essay in tar_sparse.cc.
  std::optional<std::string> sparse_major;
  std::optional<std::string> sparse_minor;
  std::optional<std::string> sparse_name;
  std::optional<std::uint64_t> sparse_size_bytes;  // logical
  std::optional<std::vector<Segment>> sparse_map;
};

// Decodes the payload of an 'x' header. Of a key that is there twice the last counts; unknown keys are skipped.
// kInvalidArgument for what is no record or no value of its key, kResourceExhausted beyond a limit. Essay in pax.cc.
Result<PaxAttributes> ParsePax(std::string_view payload, const TarLimits& limits);

// "12.25", "-0.5": seconds since 1970, more than nine decimals cut off.
Result<TarTime> ParsePaxTime(std::string_view text);

}  // namespace varve
