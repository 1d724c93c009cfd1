#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cached/base/bytes.h"
#include "cached/oci/descriptor.h"

namespace varve {

// An image of one platform: OCI's image manifest or docker's schema 2.
struct Manifest {
  std::string media_type;
  Descriptor config;
  std::vector<Descriptor> layers;  // lowest first
  std::map<std::string, std::string> annotations;
};

// An image of several platforms: OCI's image index or docker's manifest list.
struct Index {
  std::string media_type;
  std::vector<Descriptor> manifests;
  std::map<std::string, std::string> annotations;
};

enum class ManifestKind { kManifest, kIndex };

inline constexpr std::size_t kManifestBytesMax = 4 << 20;
inline constexpr std::size_t kIndexEntriesMax = 4096;

// All three: `content_type` is what the registry said, empty where nobody did. kInvalidArgument if `json` is not the
// JSON of the kind asked for, contradicts itself or `content_type`, or is docker's schema 1; kResourceExhausted beyond
// kManifestBytesMax, kLayersMax or kIndexEntriesMax. Unknown fields are ignored: keep the bytes to have them.
Result<ManifestKind> DetectManifestKind(ByteSpan json, std::string_view content_type);
Result<Manifest> ParseManifest(ByteSpan json, std::string_view content_type);
Result<Index> ParseIndex(ByteSpan json, std::string_view content_type);

// `manifest` with other layers in some places, counted from 0 and described in OCI's words. Everything else stays, but
// for what was said of the old bytes. Docker's schema 2, which has no zstd, becomes OCI's where such a layer comes in.
Result<Bytes> ReplaceLayers(ByteSpan manifest, const std::map<std::size_t, Descriptor>& layers);

// Both as documents, the same bytes for the same value; `urls` and a manifest's annotations are not written.
std::string ManifestJson(const Manifest& manifest);
std::string IndexJson(const Index& index);

// What an index holds beside images: provenance and the like, which never is to run.
bool IsAttestation(const Descriptor& entry);

// The entry for `wanted`, or for the next older variant of the same processor; without any, the only entry that names
// no platform. Never an attestation or another unknown/unknown. It may itself be an index. kNotFound names the
// platforms there are.
Result<Descriptor> ChoosePlatform(const Index& index, const Platform& wanted);

}  // namespace varve
