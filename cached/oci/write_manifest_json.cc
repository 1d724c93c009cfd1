#include <nlohmann/json.hpp>

#include "cached/oci/layout.h"
#include "cached/oci/manifest.h"

namespace varve {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson ToJson(const Descriptor& descriptor) {
  OrderedJson json = {
      {"mediaType", descriptor.media_type}, {"digest", descriptor.digest.ToString()}, {"size", descriptor.size_bytes}};
  if (!descriptor.annotations.empty()) json["annotations"] = descriptor.annotations;
  if (descriptor.platform) {
    json["platform"] = {{"architecture", descriptor.platform->architecture}, {"os", descriptor.platform->os}};
    if (!descriptor.platform->variant.empty()) json["platform"]["variant"] = descriptor.platform->variant;
  }
  return json;
}

OrderedJson ToJson(const std::vector<Descriptor>& descriptors) {
  OrderedJson list = OrderedJson::array();
  for (const Descriptor& descriptor : descriptors) list.push_back(ToJson(descriptor));
  return list;
}

}  // namespace

std::string ManifestJson(const Manifest& manifest) {
  return OrderedJson({{"schemaVersion", 2},
                      {"mediaType", manifest.media_type},
                      {"config", ToJson(manifest.config)},
                      {"layers", ToJson(manifest.layers)}})
      .dump();
}

std::string IndexJson(const Index& index) {
  return OrderedJson({{"schemaVersion", 2}, {"mediaType", index.media_type}, {"manifests", ToJson(index.manifests)}})
      .dump();
}

std::string LayoutVersionJson() { return R"({"imageLayoutVersion":"1.0.0"})"; }

}  // namespace varve
