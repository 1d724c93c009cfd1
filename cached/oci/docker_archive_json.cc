#include <fmt/core.h>

#include "cached/oci/docker_archive.h"
#include "cached/oci/fields_json.h"
#include "cached/oci/image_config.h"
#include "cached/oci/manifest.h"

namespace varve {
namespace {

Result<std::vector<DockerArchiveImage>> ParseUnnamed(ByteSpan text) {
  VARVE_ASSIGN_OR_RETURN(const Json list, ParseJsonArray(text, kManifestBytesMax));
  if (list.size() > kIndexEntriesMax) {
    return Error(Code::kResourceExhausted, fmt::format("{} images, at most {} allowed", list.size(), kIndexEntriesMax));
  }
  std::vector<DockerArchiveImage> images;
  for (const Json& item : list) {
    if (!item.is_object()) return Error(Code::kInvalidArgument, "an image in it is not an object");
    DockerArchiveImage& image = images.emplace_back();
    VARVE_ASSIGN_OR_RETURN(image.config, TextField(item, "Config"));
    VARVE_ASSIGN_OR_RETURN(image.repo_tags, TextListField(item, "RepoTags"));
    VARVE_ASSIGN_OR_RETURN(image.layers, TextListField(item, "Layers"));
    if (image.config.empty()) return Error(Code::kInvalidArgument, "an image in it has no \"Config\"");
    if (image.layers.size() > kLayersMax || image.repo_tags.size() > kLayersMax) {
      return Error(Code::kResourceExhausted, fmt::format("an image of {} layers and {} names, at most {} allowed",
                                                         image.layers.size(), image.repo_tags.size(), kLayersMax));
    }
  }
  return images;
}

}  // namespace

Result<std::vector<DockerArchiveImage>> ParseDockerArchive(ByteSpan json) {
  return ParseUnnamed(json).In("manifest.json");
}

std::string DockerArchiveJson(std::span<const DockerArchiveImage> images) {
  using OrderedJson = nlohmann::ordered_json;
  OrderedJson list = OrderedJson::array();
  for (const DockerArchiveImage& image : images) {
    OrderedJson item = {{"Config", image.config}, {"RepoTags", nullptr}, {"Layers", image.layers}};
    if (!image.repo_tags.empty()) item["RepoTags"] = image.repo_tags;
    list.push_back(std::move(item));
  }
  return list.dump();
}

}  // namespace varve
