#include "cached/oci/descriptor_json.h"

#include <fmt/core.h>

namespace varve {
namespace {

Error Invalid(std::string message) { return Error(Code::kInvalidArgument, std::move(message)); }

Result<std::optional<Platform>> ParsePlatform(const Json& descriptor) {
  if (!descriptor.contains("platform") || descriptor["platform"].is_null()) return std::optional<Platform>();
  VARVE_ASSIGN_OR_RETURN(const Json* const json, ObjectField(descriptor, "platform"));
  Platform platform;
  VARVE_ASSIGN_OR_RETURN(platform.os, TextField(*json, "os"));
  VARVE_ASSIGN_OR_RETURN(platform.architecture, TextField(*json, "architecture"));
  VARVE_ASSIGN_OR_RETURN(platform.variant, TextField(*json, "variant"));
  return std::optional(std::move(platform));
}

}  // namespace

Result<Descriptor> ParseDescriptor(const Json& json) {
  if (!json.is_object()) return Invalid("not a descriptor");
  Descriptor descriptor;
  VARVE_ASSIGN_OR_RETURN(descriptor.media_type, TextField(json, "mediaType"));
  VARVE_ASSIGN_OR_RETURN(const std::string digest, TextField(json, "digest"));
  VARVE_ASSIGN_OR_RETURN(descriptor.digest, Digest::Parse(digest));
  if (!json.contains("size")) return Invalid(descriptor.digest.ToString() + " has no size");
  VARVE_ASSIGN_OR_RETURN(descriptor.size_bytes, CountField(json, "size"));
  if (descriptor.size_bytes > kBlobBytesMax) {
    return Error(Code::kResourceExhausted,
                 fmt::format("{} has {} bytes, at most {} allowed", descriptor.digest.ToString(), descriptor.size_bytes,
                             kBlobBytesMax));
  }
  VARVE_ASSIGN_OR_RETURN(descriptor.annotations, TextMapField(json, "annotations"));
  VARVE_ASSIGN_OR_RETURN(descriptor.platform, ParsePlatform(json));
  VARVE_ASSIGN_OR_RETURN(descriptor.urls, TextListField(json, "urls"));
  return descriptor;
}

Result<std::vector<Descriptor>> ParseDescriptors(const Json& json, const char* key, std::size_t most) {
  VARVE_ASSIGN_OR_RETURN(const Json* const array, ArrayField(json, key));
  if (array->size() > most) {
    return Error(Code::kResourceExhausted, fmt::format("{} {}, at most {} allowed", array->size(), key, most));
  }
  std::vector<Descriptor> descriptors;
  for (const Json& item : *array) {
    VARVE_ASSIGN_OR_RETURN(Descriptor descriptor,
                           ParseDescriptor(item).In(fmt::format("{}[{}]", key, descriptors.size())));
    descriptors.push_back(std::move(descriptor));
  }
  return descriptors;
}

}  // namespace varve
