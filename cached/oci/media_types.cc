#include "cached/oci/media_types.h"

#include <algorithm>
#include <array>

namespace varve {
namespace {

constexpr std::array kLayerTypes = {kOciLayerType,          kOciLayerGzipType,    kOciLayerZstdType,
                                    kDockerLayerType,       kDockerLayerGzipType, kDockerLayerZstdType,
                                    kDockerForeignLayerType};

}  // namespace

std::string_view BareMediaType(std::string_view type) {
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return type;
}

bool IsIndex(std::string_view type) { return type == kOciIndexType || type == kDockerIndexType; }

bool IsManifest(std::string_view type) { return type == kOciManifestType || type == kDockerManifestType; }

bool IsLayer(std::string_view type) {
  return std::ranges::find(kLayerTypes, type) != kLayerTypes.end() || IsForeignLayer(type);
}

bool IsForeignLayer(std::string_view type) {
  return type == kDockerForeignLayerType || type.starts_with(kOciForeignLayerPrefix);
}

bool IsSchema1(std::string_view type) { return type.starts_with("application/vnd.docker.distribution.manifest.v1+"); }

}  // namespace varve
