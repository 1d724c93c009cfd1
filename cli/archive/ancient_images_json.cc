#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "cached/content/sha256.h"
#include "cached/oci/fields_json.h"
#include "cached/oci/image_config.h"
#include "cached/oci/manifest.h"
#include "cli/archive/ancient_images.h"

namespace varve {
namespace {

struct Layer {
  Json json;
  std::string id;
  std::string member;
};

// Names by the layer that they mean.
Result<std::map<std::string, std::vector<std::string>>> ParseRepositories(ByteSpan text) {
  VARVE_ASSIGN_OR_RETURN(const Json repositories, ParseJsonObject(text, kManifestBytesMax));
  std::map<std::string, std::vector<std::string>> names;
  std::size_t count = 0;
  for (const auto& [repository, tags] : repositories.items()) {
    VARVE_ASSIGN_OR_RETURN(const auto ids, TextMapField(repositories, repository.c_str()));
    for (const auto& [tag, id] : ids) names[id].push_back(fmt::format("{}:{}", repository, tag));
    count += ids.size();
  }
  if (count > kIndexEntriesMax)
    return Error(Code::kResourceExhausted, fmt::format("{} names, at most {} allowed", count, kIndexEntriesMax));
  return names;
}

class Reader {
 public:
  explicit Reader(ImageFiles& files) : files_(files) {}

  Result<std::vector<AncientImage>> Read() {
    VARVE_ASSIGN_OR_RETURN(const Bytes text, ReadSmall(files_, "repositories", kManifestBytesMax));
    VARVE_ASSIGN_OR_RETURN(const auto named, ParseRepositories(text).In("repositories"));
    std::vector<AncientImage> images;
    for (const auto& [id, names] : named) {
      VARVE_ASSIGN_OR_RETURN(AncientImage image, ReadImage(id));
      image.repo_tags = names;
      images.push_back(std::move(image));
    }
    return images;
  }

 private:
  Result<AncientImage> ReadImage(const std::string& top) {
    std::vector<Layer> layers;  // the topmost first
    for (std::string id = top; !id.empty();) {
      if (layers.size() == kLayersMax) {
        return Error(Code::kResourceExhausted,
                     fmt::format("image {}: more than {} layers, or a circle", top, kLayersMax));
      }
      if (!Digest::FromHexText(id).ok()) return Error(Code::kInvalidArgument, "\"" + id + "\" is no id of a layer");
      VARVE_ASSIGN_OR_RETURN(const Bytes text, ReadSmall(files_, id + "/json", kConfigBytesMax));
      VARVE_ASSIGN_OR_RETURN(Json json, ParseJsonObject(text, kConfigBytesMax).In(id + "/json"));
      VARVE_ASSIGN_OR_RETURN(const std::string parent, TextField(json, "parent").In(id + "/json"));
      layers.push_back({std::move(json), id, id + "/layer.tar"});
      id = parent;
    }
    std::ranges::reverse(layers);
    AncientImage image;
    for (const Layer& layer : layers) image.layers.push_back(layer.member);
    VARVE_ASSIGN_OR_RETURN(image.config, ConfigOf(layers));
    return image;
  }

  // As moby's MakeConfigFromV1Config and HistoryFromConfig (image/v1/imagev1.go).
  Result<std::string> ConfigOf(std::span<const Layer> layers) {
    Json config = layers.back().json;
    for (const char* key : {"id", "parent", "Size", "parent_id", "layer_id", "throwaway"}) config.erase(key);
    Json& diff_ids = (config["rootfs"] = {{"type", "layers"}, {"diff_ids", Json::array()}})["diff_ids"];
    Json& history = config["history"] = Json::array();
    for (const Layer& layer : layers) {
      VARVE_ASSIGN_OR_RETURN(const Digest diff_id, DiffIdOf(layer.member));
      diff_ids.push_back(diff_id.ToString());
      Json& step = history.emplace_back(Json::object());
      for (const char* key : {"created", "author", "comment"}) {
        VARVE_ASSIGN_OR_RETURN(const std::string value, TextField(layer.json, key).In(layer.id + "/json"));
        if (!value.empty()) step[key] = value;
      }
      VARVE_ASSIGN_OR_RETURN(const Json* const container, ObjectField(layer.json, "container_config"));
      VARVE_ASSIGN_OR_RETURN(const auto command, TextListField(*container, "Cmd").In(layer.id + "/json"));
      if (!command.empty()) step["created_by"] = fmt::format("{}", fmt::join(command, " "));
    }
    return config.dump(-1, ' ', false, Json::error_handler_t::replace);
  }

  Result<Digest> DiffIdOf(const std::string& member) {
    const auto known = diff_ids_.find(member);
    if (known != diff_ids_.end()) return known->second;
    Sha256 hash;
    VARVE_RETURN_IF_ERROR(files_.Read(member, [&](ByteSpan piece) -> Status {
      hash.Update(piece);
      return Ok();
    }));
    return diff_ids_[member] = hash.Finish();
  }

  ImageFiles& files_;
  std::map<std::string, Digest> diff_ids_;
};

}  // namespace

Result<std::vector<AncientImage>> FindAncientImages(ImageFiles& files) { return Reader(files).Read().In(files.what()); }

}  // namespace varve
