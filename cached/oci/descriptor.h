#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cached/content/digest.h"
#include "cached/oci/platform.h"

namespace varve {

// No registry takes larger blobs; a bound, so that sums of sizes cannot overflow.
inline constexpr std::uint64_t kBlobBytesMax = std::uint64_t{1} << 40;

// How a manifest or an index names a blob (OCI image-spec, descriptor.md).
struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size_bytes = 0;  // at most kBlobBytesMax
  std::map<std::string, std::string> annotations;
  std::optional<Platform> platform;  // in an index, of what is to run
  std::vector<std::string> urls;     // where else a foreign layer may be fetched
};

inline Descriptor DescriptorOf(std::string_view media_type, const Digest& digest, std::uint64_t size_bytes) {
  Descriptor descriptor;
  descriptor.media_type = media_type;
  descriptor.digest = digest;
  descriptor.size_bytes = size_bytes;
  return descriptor;
}

// The short name of an image inside an OCI layout: a tag, most of the time.
inline constexpr const char* kRefNameAnnotation = "org.opencontainers.image.ref.name";
// Its whole name, where containerd or docker made the layout.
inline constexpr const char* kImageNameAnnotation = "io.containerd.image.name";

}  // namespace varve
