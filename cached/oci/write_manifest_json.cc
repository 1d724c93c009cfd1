#include <nlohmann/json.hpp>

#include "cached/oci/layout.h"
#include "cached/oci/manifest.h"
#include "cached/oci/media_types.h"

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

Result<std::string> AddToLayoutIndex(ByteSpan index, const Descriptor& entry) {
  OrderedJson json = {{"schemaVersion", 2}, {"mediaType", kOciIndexType}, {"manifests", OrderedJson::array()}};
  if (!index.empty()) {
    VARVE_RETURN_IF_ERROR(ParseIndex(index, "").In("index.json"));
    json = OrderedJson::parse(AsText(index));
  }
  const auto name_of = [](const OrderedJson& item) -> std::string {
    const auto annotations = item.find("annotations");
    return annotations != item.end() && annotations->is_object() ? annotations->value(kRefNameAnnotation, "") : "";
  };
  const OrderedJson added = ToJson(entry);
  OrderedJson kept = OrderedJson::array();
  for (const OrderedJson& item : json["manifests"]) {
    const bool replaced =
        name_of(item) == name_of(added) && (!name_of(added).empty() || item["digest"] == added["digest"]);
    if (!replaced) kept.push_back(item);
  }
  kept.push_back(added);
  if (kept.size() > kIndexEntriesMax)
    return Error(Code::kResourceExhausted, "index.json: the layout has no room for another image");
  json["manifests"] = std::move(kept);
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

std::string LayoutVersionJson() { return R"({"imageLayoutVersion":"1.0.0"})"; }

}  // namespace varve
