#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cached/base/bytes.h"
#include "cached/oci/descriptor.h"

namespace varve {

// What a manifest of any kind leans on, for a registry, which keeps what it does not understand: images, indexes,
// artifacts, the caches of builders (distribution-spec, "Pushing Manifests").
struct References {
  std::string media_type;     // its own
  std::string artifact_type;  // what it is: "artifactType", else its config's media type
  std::optional<Descriptor> config;
  std::vector<Descriptor> layers;     // "layers", or "blobs" of an artifact manifest
  std::vector<Descriptor> manifests;  // of an index; BuildKit lists blobs there
  std::optional<Digest> subject;      // the manifest that this one is about; need not exist
  std::map<std::string, std::string> annotations;
};

// `content_type` is what the client sent. kInvalidArgument if `json` is no JSON object, is docker's schema 1, calls
// itself something else than `content_type`, or a descriptor in it is malformed; kResourceExhausted beyond
// `most_bytes`, kLayersMax or kIndexEntriesMax.
Result<References> ParseReferences(ByteSpan json, std::string_view content_type, std::size_t most_bytes);

}  // namespace varve
