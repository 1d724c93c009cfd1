#include "cli/archive/plain_manifest.h"

#include <algorithm>

#include "cached/oci/image_config.h"
#include "cached/oci/manifest.h"
#include "cached/oci/media_types.h"

namespace varve {

Result<std::string> PlainManifest(const v1::ImageDetail& image) {
  VARVE_ASSIGN_OR_RETURN(const Digest config_digest, Digest::Parse(image.config_digest()));
  VARVE_ASSIGN_OR_RETURN(const ImageConfig config, ParseImageConfig(AsBytes(image.config())));
  if (config.diff_ids.size() != static_cast<std::size_t>(image.layer_bytes_size()))
    return Error(Code::kInternal, "the daemon knows other layers than the config");
  VARVE_ASSIGN_OR_RETURN(const Manifest own, ParseManifest(AsBytes(image.manifest()), ""));
  const bool plain = std::ranges::equal(own.layers, config.diff_ids, {}, &Descriptor::digest);
  if (plain && own.media_type == kOciManifestType) return image.manifest();
  Manifest manifest;
  manifest.media_type = kOciManifestType;
  manifest.config = DescriptorOf(kOciConfigType, config_digest, image.config().size());
  for (int i = 0; i < image.layer_bytes_size(); ++i) {
    manifest.layers.push_back(
        DescriptorOf(kOciLayerType, config.diff_ids[static_cast<std::size_t>(i)], image.layer_bytes(i)));
  }
  return ManifestJson(manifest);
}

}  // namespace varve
