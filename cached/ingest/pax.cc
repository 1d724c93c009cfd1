// PAX extended headers: what a 512-byte header cannot say, as text in the content of an entry of type 'x' in front of
// the entry it is about. The content is records
//
//   record = length " " key "=" value "\n"        length: decimal, of the whole record, itself included
//
//   "30 mtime=1700000000.123456789\n"     30 bytes: 3 for the length and the blank, 26 of text, a newline
//
// so a value may hold anything, newlines and NULs too. Keys that matter for an image:
//
//   path linkpath size uid gid mtime       in place of the header's field; an empty value gives the header's field back
//   SCHILY.xattr.NAME                      a raw value (star, GNU tar, Go, docker, podman)
//   LIBARCHIVE.xattr.NAME                  the same in base64, NAME percent-encoded (bsdtar, beside the first)
//   GNU.sparse.*                           tar_sparse.cc
//
// Everything else (atime, ctime, uname, gname, comment, hdrcharset, vendors' keys) is skipped: no layer's file tree
// depends on it. Go, and thus docker, drops an xattr whose value is empty; GNU tar restores it. Such xattrs exist and
// are kept here.
//
// Global headers ('g', about all entries that follow) are read over, as Go and libarchive do: what they say is
// not seen by docker, podman or containerd, so honouring it would give another file tree than theirs for the same
// layer.
//
// Source: POSIX.1-2017 pax, "pax Extended Header"; star(5); libarchive tar(5).

#include "cached/ingest/pax.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "cached/base/bytes.h"
#include "cached/ingest/tar_sparse.h"

namespace varve {
namespace {

constexpr std::string_view kSchilyXattr = "SCHILY.xattr.";
constexpr std::string_view kLibarchiveXattr = "LIBARCHIVE.xattr.";
constexpr std::size_t kXattrNameBytesMax = 255;  // XATTR_NAME_MAX

struct Record {
  std::string_view key;
  std::string_view value;
};

Error Malformed(std::string_view what) { return Error(Code::kInvalidArgument, fmt::format("PAX header: {}", what)); }

template <class T>
Result<T> ParseDecimal(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return Malformed("not a decimal number, or too large");
  return value;
}

// Takes the first record off `rest`.
Result<Record> TakeRecord(std::string_view& rest) {
  const std::size_t blank = rest.find(' ');
  if (blank == std::string_view::npos) return Malformed("a record without a length");
  VARVE_ASSIGN_OR_RETURN(const std::size_t length, ParseDecimal<std::size_t>(rest.substr(0, blank)));
  if (length <= blank + 1 || length > rest.size()) return Malformed("a record's length leads out of the header");
  const std::string_view record = rest.substr(blank + 1, length - blank - 1);
  if (record.back() != '\n') return Malformed("a record does not end where its length says");
  const std::size_t equals = record.find('=');
  if (equals == std::string_view::npos || equals == 0) return Malformed("a record without a key");
  rest.remove_prefix(length);
  const Record taken{record.substr(0, equals), record.substr(equals + 1, record.size() - equals - 2)};
  if (taken.key.find('\0') != std::string_view::npos) return Malformed("a key with a NUL");
  return taken;
}

std::string DecodePercent(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    const std::string_view hex = text.substr(i + 1, 2);
    const bool escape = text[i] == '%' && hex.size() == 2 &&
                        std::from_chars(hex.data(), hex.data() + hex.size(), value, 16).ptr == hex.data() + hex.size();
    decoded += escape ? static_cast<char>(value) : text[i];
    if (escape) i += 2;
  }
  return decoded;
}

Status SetText(std::optional<std::string>& field, std::string_view value) {
  if (value.find('\0') != std::string_view::npos) return Malformed("a name with a NUL");
  field.reset();
  if (!value.empty()) field = value;
  return Ok();
}

template <class T>
Status SetNumber(std::optional<T>& field, std::string_view value) {
  field.reset();
  if (value.empty()) return Ok();
  VARVE_ASSIGN_OR_RETURN(field, ParseDecimal<T>(value));
  return Ok();
}

Status SetTime(std::optional<TarTime>& field, std::string_view value) {
  field.reset();
  if (value.empty()) return Ok();
  VARVE_ASSIGN_OR_RETURN(field, ParsePaxTime(value));
  return Ok();
}

using Setter = Status (*)(PaxAttributes&, std::string_view value, const TarLimits&);
struct Key {
  std::string_view name;
  Setter set;
};

constexpr std::array kKeys = {
    Key{"path", [](PaxAttributes& a, std::string_view v, const TarLimits&) { return SetText(a.path, v); }},
    Key{"linkpath", [](PaxAttributes& a, std::string_view v, const TarLimits&) { return SetText(a.link_target, v); }},
    Key{"size", [](PaxAttributes& a, std::string_view v, const TarLimits&) { return SetNumber(a.size_bytes, v); }},
    Key{"uid", [](PaxAttributes& a, std::string_view v, const TarLimits&) { return SetNumber(a.uid, v); }},
    Key{"gid", [](PaxAttributes& a, std::string_view v, const TarLimits&) { return SetNumber(a.gid, v); }},
    Key{"mtime", [](PaxAttributes& a, std::string_view v, const TarLimits&) { return SetTime(a.mtime, v); }},
    Key{"GNU.sparse.major",
        [](PaxAttributes& a, std::string_view v, const TarLimits&) { return SetText(a.sparse_major, v); }},
    Key{"GNU.sparse.minor",
        [](PaxAttributes& a, std::string_view v, const TarLimits&) { return SetText(a.sparse_minor, v); }},
    Key{"GNU.sparse.name",
        [](PaxAttributes& a, std::string_view v, const TarLimits&) { return SetText(a.sparse_name, v); }},
    Key{"GNU.sparse.size",
        [](PaxAttributes& a, std::string_view v, const TarLimits&) { return SetNumber(a.sparse_size_bytes, v); }},
    Key{"GNU.sparse.realsize",
        [](PaxAttributes& a, std::string_view v, const TarLimits&) { return SetNumber(a.sparse_size_bytes, v); }},
    Key{"GNU.sparse.map",
        [](PaxAttributes& a, std::string_view v, const TarLimits& limits) -> Status {
          VARVE_ASSIGN_OR_RETURN(a.sparse_map, ParsePaxSparseMap(v, limits));
          return Ok();
        }},
};

// GNU.sparse 0.0 gives its map as a pair of records a segment.
Status AddSparsePair(PaxAttributes& attributes, const Record& record, const TarLimits& limits) {
  VARVE_ASSIGN_OR_RETURN(const std::uint64_t value, ParseDecimal<std::uint64_t>(record.value));
  if (!attributes.sparse_map) attributes.sparse_map.emplace();
  auto& map = *attributes.sparse_map;
  if (record.key == "GNU.sparse.numbytes") {
    if (map.empty()) return Malformed("GNU.sparse.numbytes in front of the first GNU.sparse.offset");
    map.back().length = value;
    return Ok();
  }
  if (map.size() == limits.sparse_segments) return TooManySegments(limits);
  map.push_back({value, 0});
  return Ok();
}

Status AddXattr(PaxAttributes& attributes, std::string name, std::string value, const TarLimits& limits) {
  if (name.empty() || name.size() > kXattrNameBytesMax || name.find('\0') != std::string::npos) {
    return Malformed("an xattr whose name is empty, holds a NUL or is longer than 255 bytes");
  }
  if (value.size() > limits.xattr_value_bytes) {
    return Error(Code::kResourceExhausted, fmt::format("xattr {} has {} bytes, above the limit of {}", name,
                                                       value.size(), limits.xattr_value_bytes));
  }
  attributes.xattrs.insert_or_assign(std::move(name), std::move(value));
  return Ok();
}

Status Apply(PaxAttributes& attributes, const Record& record, const TarLimits& limits) {
  if (record.key.starts_with(kSchilyXattr)) {
    return AddXattr(attributes, std::string(record.key.substr(kSchilyXattr.size())), std::string(record.value), limits);
  }
  if (record.key.starts_with(kLibarchiveXattr)) {
    VARVE_ASSIGN_OR_RETURN(std::string value, FromBase64(record.value).In("PAX header: an xattr"));
    return AddXattr(attributes, DecodePercent(record.key.substr(kLibarchiveXattr.size())), std::move(value), limits);
  }
  if (record.key == "GNU.sparse.offset" || record.key == "GNU.sparse.numbytes") {
    return AddSparsePair(attributes, record, limits);
  }
  for (const Key& key : kKeys) {
    if (key.name == record.key) return key.set(attributes, record.value, limits).In(key.name);
  }
  return Ok();
}

}  // namespace

Result<TarTime> ParsePaxTime(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const std::string_view whole = text.substr(0, text.find('.'));
  std::string fraction(text.substr(std::min(text.size(), whole.size() + 1)));
  if (fraction.find_first_not_of("0123456789") != std::string::npos) return Malformed("a time that is no number");
  fraction.resize(9, '0');
  TarTime time;
  VARVE_ASSIGN_OR_RETURN(time.nanoseconds, ParseDecimal<std::uint32_t>(fraction));
  if (whole.starts_with('-')) return Malformed("a time that is no number");
  VARVE_ASSIGN_OR_RETURN(time.seconds, ParseDecimal<std::int64_t>(whole));
  if (!negative) return time;
  time.seconds = -time.seconds;
  if (time.nanoseconds == 0) return time;
  return TarTime{time.seconds - 1, 1'000'000'000 - time.nanoseconds};
}

Result<PaxAttributes> ParsePax(std::string_view payload, const TarLimits& limits) {
  PaxAttributes attributes;
  while (!payload.empty()) {
    VARVE_ASSIGN_OR_RETURN(const Record record, TakeRecord(payload));
    VARVE_RETURN_IF_ERROR(Apply(attributes, record, limits));
  }
  std::size_t xattrs_bytes = 0;
  for (const auto& [name, value] : attributes.xattrs) xattrs_bytes += name.size() + value.size();
  if (xattrs_bytes > limits.xattrs_bytes) {
    return Error(Code::kResourceExhausted,
                 fmt::format("{} bytes of xattrs, above the limit of {}", xattrs_bytes, limits.xattrs_bytes));
  }
  return attributes;
}

}  // namespace varve
