// Any bytes as a manifest or an index: refused, or one of the two and within the limits; and as what is put into a
// registry.

#include <cstddef>
#include <cstdint>

#include "cached/base/check.h"
#include "cached/oci/image_config.h"
#include "cached/oci/manifest.h"
#include "cached/oci/media_types.h"
#include "cached/oci/references.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  const varve::ByteSpan json = std::as_bytes(std::span(input, size));
  for (const std::string_view type :
       {"", "application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.v2+json"}) {
    const auto kind = varve::DetectManifestKind(json, type);
    const auto manifest = varve::ParseManifest(json, type);
    const auto index = varve::ParseIndex(json, type);
    VARVE_CHECK(!(manifest.ok() && index.ok()) && (kind.ok() || (!manifest.ok() && !index.ok())));
    if (manifest.ok()) {
      VARVE_CHECK(*kind == varve::ManifestKind::kManifest && manifest->layers.size() <= varve::kLayersMax);
    }
    const auto references = varve::ParseReferences(json, type, varve::kManifestBytesMax);
    if (references.ok()) {
      VARVE_CHECK(!references->media_type.empty() && references->layers.size() <= varve::kLayersMax &&
                  references->manifests.size() <= varve::kIndexEntriesMax);
    }
    if (!index.ok()) continue;
    VARVE_CHECK(*kind == varve::ManifestKind::kIndex && index->manifests.size() <= varve::kIndexEntriesMax);
    varve::ChoosePlatform(*index, {"linux", "arm64", "v8"}).IgnoreError("most inputs have none");
  }
  return 0;
}
