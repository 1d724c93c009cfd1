#include <fmt/core.h>

#include <algorithm>

#include "cached/oci/descriptor_json.h"
#include "cached/oci/image_config.h"
#include "cached/oci/manifest.h"
#include "cached/oci/media_types.h"
#include "cached/oci/references.h"

namespace varve {
namespace {

constexpr std::size_t kMediaTypeBytesMax = 255;  // RFC 6838 allows 127 on each side of the slash

Error Invalid(std::string message) { return Error(Code::kInvalidArgument, std::move(message)); }

// The characters of RFC 6838's names, and the slash: it goes into records and header fields.
bool IsMediaType(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$&-^_.+/").contains(c);
  });
}

// Of two that are said they must be the same, or one digest would mean two things (CVE-2021-41190).
Result<std::string> MediaTypeOf(const Json& json, std::string_view content_type) {
  content_type = BareMediaType(content_type);
  VARVE_ASSIGN_OR_RETURN(std::string said, TextField(json, "mediaType"));
  if (IsSchema1(content_type) || IsSchema1(said) || json.contains("fsLayers"))
    return Invalid("a docker schema 1 manifest, which nobody makes any more: push the image anew with a current tool");
  if (std::max(said.size(), content_type.size()) > kMediaTypeBytesMax)
    return Invalid(fmt::format("a media type is longer than {} bytes", kMediaTypeBytesMax));
  if (!IsMediaType(said) || !IsMediaType(content_type)) return Invalid("its media type is none");
  if (said.empty() && content_type.empty()) return Invalid("it has no media type");
  if (!said.empty() && !content_type.empty() && said != content_type)
    return Invalid(fmt::format("it was sent as {} but calls itself {}", content_type, said));
  return said.empty() ? std::string(content_type) : said;
}

Result<References> ParseUnnamed(ByteSpan text, std::string_view content_type, std::size_t most_bytes) {
  VARVE_ASSIGN_OR_RETURN(const Json json, ParseJsonObject(text, most_bytes));
  References references;
  VARVE_ASSIGN_OR_RETURN(references.media_type, MediaTypeOf(json, content_type));
  if (json.contains("layers") && json.contains("manifests")) return Invalid("it has both \"layers\" and \"manifests\"");
  VARVE_ASSIGN_OR_RETURN(const Json* const config, ObjectField(json, "config"));
  if (!config->empty()) {
    VARVE_ASSIGN_OR_RETURN(references.config, ParseDescriptor(*config).In("config"));
  } else if (IsManifest(references.media_type)) {
    return Invalid("it has no config");
  }
  VARVE_ASSIGN_OR_RETURN(references.layers,
                         ParseDescriptors(json, json.contains("layers") ? "layers" : "blobs", kLayersMax));
  VARVE_ASSIGN_OR_RETURN(references.manifests, ParseDescriptors(json, "manifests", kIndexEntriesMax));
  VARVE_ASSIGN_OR_RETURN(references.annotations, TextMapField(json, "annotations"));
  VARVE_ASSIGN_OR_RETURN(references.artifact_type, TextField(json, "artifactType"));
  if (references.artifact_type.empty() && references.config) references.artifact_type = references.config->media_type;
  VARVE_ASSIGN_OR_RETURN(const Json* const subject, ObjectField(json, "subject"));
  if (!subject->empty()) {
    VARVE_ASSIGN_OR_RETURN(const Descriptor descriptor, ParseDescriptor(*subject).In("subject"));
    references.subject = descriptor.digest;
  }
  return references;
}

}  // namespace

Result<References> ParseReferences(ByteSpan json, std::string_view content_type, std::size_t most_bytes) {
  return ParseUnnamed(json, content_type, most_bytes).In("manifest");
}

}  // namespace varve
