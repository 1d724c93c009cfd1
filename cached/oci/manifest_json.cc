#include <fmt/core.h>

#include <algorithm>

#include "cached/oci/descriptor_json.h"
#include "cached/oci/fields_json.h"
#include "cached/oci/image_config.h"
#include "cached/oci/manifest.h"
#include "cached/oci/media_types.h"

namespace varve {
namespace {

constexpr std::size_t kShownBytesMax = 100;

Error Invalid(std::string message) { return Error(Code::kInvalidArgument, std::move(message)); }

Error Schema1Refused() {
  return Error(Code::kUnimplemented,
               "a docker schema 1 manifest, which nobody makes any more: push the image anew with a current tool");
}

struct Document {
  Json json;
  ManifestKind kind;
  std::string media_type;
};

// What the registry and the document call it. A registry may send anything that is no manifest's type
// ("application/json"); two manifest types that differ are refused, since the same bytes would then mean two images
// (CVE-2021-41190).
Result<std::string> AgreedMediaType(const Json& json, std::string_view content_type) {
  content_type = BareMediaType(content_type);
  VARVE_ASSIGN_OR_RETURN(std::string said, TextField(json, "mediaType"));
  if (IsSchema1(content_type) || IsSchema1(said) || json.contains("fsLayers")) return Schema1Refused();
  const bool sent = IsManifest(content_type) || IsIndex(content_type);
  if (said.empty()) return std::string(sent ? content_type : "");
  if (sent && said != content_type) {
    return Invalid(fmt::format("it was sent as {} but calls itself {}", content_type, said.substr(0, kShownBytesMax)));
  }
  return said;
}

Result<Document> ParseDocument(ByteSpan text, std::string_view content_type) {
  VARVE_ASSIGN_OR_RETURN(Json json, ParseJsonObject(text, kManifestBytesMax));
  VARVE_ASSIGN_OR_RETURN(std::string media_type, AgreedMediaType(json, content_type));
  VARVE_ASSIGN_OR_RETURN(const std::uint64_t version, CountField(json, "schemaVersion"));
  if (version != 2) return Invalid(fmt::format("schemaVersion is {}, only 2 is known", version));
  const bool has_layers = json.contains("layers") || json.contains("config");
  const bool has_manifests = json.contains("manifests");
  if (has_layers == has_manifests) {
    return Invalid(has_layers ? "it has both \"layers\" and \"manifests\""
                              : "it has neither \"layers\" nor \"manifests\"");
  }
  if (media_type.empty()) media_type = has_layers ? kOciManifestType : kOciIndexType;
  if (!(has_layers ? IsManifest(media_type) : IsIndex(media_type))) {
    return Invalid(fmt::format("it calls itself {} but has \"{}\"", media_type.substr(0, kShownBytesMax),
                               has_layers ? "layers" : "manifests"));
  }
  return Document{std::move(json), has_layers ? ManifestKind::kManifest : ManifestKind::kIndex, std::move(media_type)};
}

Result<Manifest> ParseUnnamedManifest(ByteSpan text, std::string_view content_type) {
  VARVE_ASSIGN_OR_RETURN(Document document, ParseDocument(text, content_type));
  if (document.kind != ManifestKind::kManifest) {
    return Invalid("an index, where the manifest of one platform was expected");
  }
  Manifest manifest;
  manifest.media_type = std::move(document.media_type);
  VARVE_ASSIGN_OR_RETURN(const Json* const config, ObjectField(document.json, "config"));
  VARVE_ASSIGN_OR_RETURN(manifest.config, ParseDescriptor(*config).In("config"));
  VARVE_ASSIGN_OR_RETURN(manifest.layers, ParseDescriptors(document.json, "layers", kLayersMax));
  VARVE_ASSIGN_OR_RETURN(manifest.annotations, TextMapField(document.json, "annotations"));
  return manifest;
}

Result<Index> ParseUnnamedIndex(ByteSpan text, std::string_view content_type) {
  VARVE_ASSIGN_OR_RETURN(Document document, ParseDocument(text, content_type));
  if (document.kind != ManifestKind::kIndex) {
    return Invalid("the manifest of one platform, where an index was expected");
  }
  Index index;
  index.media_type = std::move(document.media_type);
  VARVE_ASSIGN_OR_RETURN(index.manifests, ParseDescriptors(document.json, "manifests", kIndexEntriesMax));
  VARVE_ASSIGN_OR_RETURN(index.annotations, TextMapField(document.json, "annotations"));
  return index;
}

std::string OfferedPlatforms(const Index& index) {
  std::string offered;
  for (const Descriptor& entry : index.manifests) {
    if (IsAttestation(entry) || offered.size() > 10 * kShownBytesMax) continue;
    if (!offered.empty()) offered += ", ";
    offered += entry.platform ? entry.platform->ToString() : "one without a name";
  }
  return offered.empty() ? "none" : offered;
}

}  // namespace

bool IsAttestation(const Descriptor& entry) {
  return entry.annotations.contains("vnd.docker.reference.type") || (entry.platform && entry.platform->os == "unknown");
}

Result<ManifestKind> DetectManifestKind(ByteSpan json, std::string_view content_type) {
  auto document = ParseDocument(json, content_type).In("manifest");
  if (!document.ok()) return document.error();
  return document->kind;
}

Result<Manifest> ParseManifest(ByteSpan json, std::string_view content_type) {
  return ParseUnnamedManifest(json, content_type).In("manifest");
}

Result<Index> ParseIndex(ByteSpan json, std::string_view content_type) {
  return ParseUnnamedIndex(json, content_type).In("image index");
}

Result<Descriptor> ChoosePlatform(const Index& index, const Platform& wanted) {
  for (const Platform& platform : wanted.Runnable()) {
    const auto fits = [&](const Descriptor& entry) {
      return !IsAttestation(entry) && entry.platform && entry.platform->Runnable().front() == platform;
    };
    const auto found = std::ranges::find_if(index.manifests, fits);
    if (found != index.manifests.end()) return *found;
  }
  const auto nameless = [](const Descriptor& entry) { return !entry.platform && !IsAttestation(entry); };
  if (std::ranges::count_if(index.manifests, nameless) == 1) return *std::ranges::find_if(index.manifests, nameless);
  return Error(Code::kNotFound,
               fmt::format("no image for platform {}; there are: {}", wanted.ToString(), OfferedPlatforms(index)));
}

}  // namespace varve
