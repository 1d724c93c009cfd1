#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace varve {

// The part of a representation that a Range field asks for (RFC 9110, 14).
struct HttpRange {
  enum class Kind {
    kWhole,          // 200 with everything
    kPart,           // 206 with Content-Range
    kUnsatisfiable,  // 416 with Content-Range: begins behind the end
  };
  Kind kind = Kind::kWhole;
  std::uint64_t offset_bytes = 0;
  std::uint64_t length_bytes = 0;  // 0 if kUnsatisfiable

  // The value of Content-Range: "bytes 0-9/100"; "bytes */100" if kUnsatisfiable. Not for kWhole.
  std::string ContentRange(std::uint64_t size_bytes) const;
};

// `field` is the value of the request's Range. Whatever is not one range of bytes, in the grammar, counts for nothing,
// as the RFC allows: several ranges, another unit, nonsense.
HttpRange ParseHttpRange(std::optional<std::string_view> field, std::uint64_t size_bytes);

}  // namespace varve
