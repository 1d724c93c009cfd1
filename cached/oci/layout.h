#pragma once

#include <string>
#include <string_view>

#include "cached/oci/manifest.h"

namespace varve {

// An OCI layout (image-spec, image-layout.md): a directory with "oci-layout", "index.json" (an Index: ParseIndex) and
// blobs/sha256/HEX.

inline std::string LayoutBlobName(const Digest& digest) { return "blobs/sha256/" + digest.hex(); }

// Of the file "oci-layout": kInvalidArgument unless it says version 1.
Status CheckLayoutVersion(ByteSpan json);
std::string LayoutVersionJson();

// "index.json" with `entry` in it, in place of those that have its kRefNameAnnotation, or of itself without one. All
// else stays as it is. An empty `index` is a new one.
Result<std::string> AddToLayoutIndex(ByteSpan index, const Descriptor& entry);

// The image named `tag` (kRefNameAnnotation) in a layout's index; of several with that name the one for `wanted`.
// Without a tag: the only image, else "latest". kNotFound names the tags there are. It may itself be an index.
Result<Descriptor> ChooseByTag(const Index& index, std::string_view tag, const Platform& wanted);

}  // namespace varve
