#include <nlohmann/json.hpp>

#include "cached/content/sha256.h"
#include "cached/oci/manifest.h"
#include "cached/oci/media_types.h"
#include "cli/archive/commit_config.h"
#include "cli/archive/config_changes_json.h"

namespace varve {
namespace {

using Json = nlohmann::ordered_json;

void ApplyContainer(const CommittedImage& image, Json& config) {
  if (!image.env.empty()) config["Env"] = image.env;
  if (image.entrypoint) config["Entrypoint"] = *image.entrypoint;
  if (image.cmd) config["Cmd"] = *image.cmd;
  if (!image.user.empty()) config["User"] = image.user;
  if (!image.working_dir.empty()) config["WorkingDir"] = image.working_dir;
  if (!image.stop_signal.empty()) config["StopSignal"] = image.stop_signal;
  for (const std::string& path : image.volumes) config["Volumes"][path] = Json::object();
  for (const auto& [key, value] : image.labels) config["Labels"][key] = value;
}

Json HistoryOf(const CommittedImage& image) {
  Json entry = {{"created", image.created}, {"created_by", image.created_by}};
  if (!image.author.empty()) entry["author"] = image.author;
  if (!image.comment.empty()) entry["comment"] = image.comment;
  return entry;
}

}  // namespace

Result<std::string> CommitConfigJson(ByteSpan base, const CommittedImage& image) try {
  Json json = Json::parse(AsText(base));
  if (!json["config"].is_object()) json["config"] = Json::object();
  ApplyContainer(image, json["config"]);
  VARVE_RETURN_IF_ERROR(ApplyConfigChanges(image.changes, json["config"]));
  json["created"] = image.created;
  if (!image.author.empty()) json["author"] = image.author;
  for (const char* stale : {"container", "container_config"}) json.erase(stale);  // of the build of the base
  json["rootfs"]["diff_ids"].push_back(image.diff_id.ToString());
  json["history"].push_back(HistoryOf(image));
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
} catch (const Json::exception& exception) {
  return Error(Code::kInvalidArgument, std::string("the config of the image cannot be added to: ") + exception.what());
}

Result<std::string> CommitManifestJson(ByteSpan base, const std::string& config, const CommittedLayer& layer) {
  VARVE_ASSIGN_OR_RETURN(Manifest manifest, ParseManifest(base, ""));
  const bool docker = manifest.media_type == kDockerManifestType;
  manifest.config = DescriptorOf(docker ? kDockerConfigType : kOciConfigType, Sha256Of(AsBytes(config)), config.size());
  manifest.layers.push_back(DescriptorOf(docker ? kDockerLayerType : kOciLayerType, layer.diff_id, layer.tar_bytes));
  return ManifestJson(manifest);
}

}  // namespace varve
