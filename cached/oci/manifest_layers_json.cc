#include <array>

#include "cached/oci/fields_json.h"
#include "cached/oci/manifest.h"
#include "cached/oci/media_types.h"

namespace varve {
namespace {

// In the order that the document has.
using OrderedJson = nlohmann::ordered_json;

constexpr std::array kWords = {std::pair(kDockerManifestType, kOciManifestType),
                               std::pair(kDockerConfigType, kOciConfigType), std::pair(kDockerLayerType, kOciLayerType),
                               std::pair(kDockerLayerGzipType, kOciLayerGzipType),
                               std::pair(kDockerLayerZstdType, kOciLayerZstdType)};

std::string InWordsOfOci(std::string type) {
  for (const auto& [docker, oci] : kWords) {
    if (type == docker) return std::string(oci);
  }
  return type;
}

std::string InWordsOfDocker(std::string type) {
  for (const auto& [docker, oci] : kWords) {
    if (type == oci) return std::string(docker);
  }
  return type;
}

// What tells where things lie in the compressed bytes is wrong of other bytes.
bool DescribesBytes(const std::string& annotation) {
  return annotation.starts_with("containerd.io/snapshot/") || annotation.starts_with("io.containers.estargz.") ||
         annotation.starts_with("io.github.containers.zstd-chunked.");
}

void Replace(OrderedJson& layer, const Descriptor& with) {
  layer["mediaType"] = with.media_type;
  layer["digest"] = with.digest.ToString();
  layer["size"] = with.size_bytes;
  layer.erase("data");
  layer.erase("urls");
  if (!layer.contains("annotations")) return;
  OrderedJson kept = OrderedJson::object();
  for (const auto& [key, value] : layer["annotations"].items()) {
    if (!DescribesBytes(key)) kept[key] = value;
  }
  layer.erase("annotations");
  if (!kept.empty()) layer["annotations"] = std::move(kept);
}

void TranslateToOci(OrderedJson& manifest) {
  for (OrderedJson* const part : {&manifest, &manifest["config"]}) {
    if (part->contains("mediaType")) (*part)["mediaType"] = InWordsOfOci((*part)["mediaType"]);
  }
  for (OrderedJson& layer : manifest["layers"]) layer["mediaType"] = InWordsOfOci(layer["mediaType"]);
}

}  // namespace

Result<Bytes> ReplaceLayers(ByteSpan manifest, const std::map<std::size_t, Descriptor>& layers) {
  VARVE_ASSIGN_OR_RETURN(const Manifest parsed, ParseManifest(manifest, ""));
  OrderedJson json = OrderedJson::parse(AsText(manifest), nullptr, false);
  bool docker = parsed.media_type == kDockerManifestType;
  for (const auto& [number, layer] : layers) {
    if (number >= parsed.layers.size()) return Error(Code::kInternal, "a layer that the manifest has not");
    if (docker && layer.media_type == kOciLayerZstdType) {
      TranslateToOci(json);
      docker = false;
    }
  }
  for (auto [number, layer] : layers) {
    if (docker) layer.media_type = InWordsOfDocker(layer.media_type);
    Replace(json["layers"][number], layer);
  }
  return ToBytes(json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
}

}  // namespace varve
