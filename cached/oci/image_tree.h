#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cached/oci/manifest.h"

namespace varve {

// What a copy of an image consists of: its manifest, or an index with all that it leads to, and the blobs that they
// name. Byte for byte, so that digests stay.
struct ImageTree {
  struct Document {
    Bytes bytes;  // verbatim
    std::string media_type;
    Digest digest;
  };
  std::vector<Document> manifests;  // each once, behind those that it names; the last is the image
  std::vector<Descriptor> blobs;    // configs and layers, each once; foreign layers, which nobody keeps, are left out
  std::optional<Digest> index;      // that the image of one platform was chosen from

  const Document& top() const { return manifests.back(); }
};

inline constexpr int kIndexDepthMax = 4;  // an index may name an index; nobody nests them deeper
inline constexpr std::size_t kImageTreeBytesMax = 32 << 20;

// Gives a manifest that an index names; its digest is compared here.
using ManifestReader = std::function<Result<Bytes>(const Descriptor& manifest)>;

// The image whose manifest or index is `top` (`content_type` as for ParseManifest). With `platform` the one image of an
// index that is for it, else all of it. kResourceExhausted beyond kImageTreeBytesMax or kIndexEntriesMax manifests.
Result<ImageTree> ReadImageTree(Bytes top, const std::string& content_type, const std::optional<Platform>& platform,
                                const ManifestReader& read);

// The image whose documents are `manifests`, all of it; the last is its own.
Result<ImageTree> ParseImageTree(const std::vector<Bytes>& manifests);

}  // namespace varve
