#include <fmt/core.h>

#include "cached/oci/fields_json.h"
#include "cached/oci/image_config.h"

namespace varve {
namespace {

// OCI writes the set {"/data"} as {"/data": {}}.
Result<std::vector<std::string>> KeysOf(const Json& object, const char* key) {
  VARVE_ASSIGN_OR_RETURN(const Json* const set, ObjectField(object, key));
  std::vector<std::string> keys;
  for (const auto& [name, unused] : set->items()) keys.push_back(name);
  return keys;
}

Result<ContainerConfig> ParseContainerConfig(const Json& json) {
  ContainerConfig config;
  VARVE_ASSIGN_OR_RETURN(config.user, TextField(json, "User"));
  VARVE_ASSIGN_OR_RETURN(config.env, TextListField(json, "Env"));
  VARVE_ASSIGN_OR_RETURN(config.entrypoint, TextListField(json, "Entrypoint"));
  VARVE_ASSIGN_OR_RETURN(config.cmd, TextListField(json, "Cmd"));
  VARVE_ASSIGN_OR_RETURN(config.working_dir, TextField(json, "WorkingDir"));
  VARVE_ASSIGN_OR_RETURN(config.volumes, KeysOf(json, "Volumes"));
  VARVE_ASSIGN_OR_RETURN(config.exposed_ports, KeysOf(json, "ExposedPorts"));
  VARVE_ASSIGN_OR_RETURN(config.labels, TextMapField(json, "Labels"));
  VARVE_ASSIGN_OR_RETURN(config.stop_signal, TextField(json, "StopSignal"));
  return config;
}

Result<HistoryEntry> ParseHistoryEntry(const Json& json) {
  if (!json.is_object()) return Error(Code::kInvalidArgument, "field \"history\" is not a list of objects");
  HistoryEntry entry;
  VARVE_ASSIGN_OR_RETURN(entry.created, TextField(json, "created"));
  VARVE_ASSIGN_OR_RETURN(entry.created_by, TextField(json, "created_by"));
  VARVE_ASSIGN_OR_RETURN(entry.author, TextField(json, "author"));
  VARVE_ASSIGN_OR_RETURN(entry.comment, TextField(json, "comment"));
  VARVE_ASSIGN_OR_RETURN(entry.empty_layer, BoolField(json, "empty_layer"));
  return entry;
}

Result<std::vector<Digest>> ParseDiffIds(const Json& rootfs) {
  VARVE_ASSIGN_OR_RETURN(const std::string type, TextField(rootfs, "type"));
  if (type != "layers") {
    return Error(Code::kInvalidArgument,
                 fmt::format("rootfs.type is \"{}\", only \"layers\" is known", type.substr(0, 80)));
  }
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> texts, TextListField(rootfs, "diff_ids"));
  if (texts.size() > kLayersMax) {
    return Error(Code::kResourceExhausted, fmt::format("{} layers, at most {} allowed", texts.size(), kLayersMax));
  }
  std::vector<Digest> diff_ids;
  for (const std::string& text : texts) {
    VARVE_ASSIGN_OR_RETURN(const Digest diff_id, Digest::Parse(text).In("rootfs.diff_ids"));
    diff_ids.push_back(diff_id);
  }
  return diff_ids;
}

Result<ImageConfig> ParseUnnamed(ByteSpan text) {
  VARVE_ASSIGN_OR_RETURN(const Json json, ParseJsonObject(text, kConfigBytesMax));
  ImageConfig image;
  VARVE_ASSIGN_OR_RETURN(image.created, TextField(json, "created"));
  VARVE_ASSIGN_OR_RETURN(image.author, TextField(json, "author"));
  VARVE_ASSIGN_OR_RETURN(image.platform.os, TextField(json, "os"));
  VARVE_ASSIGN_OR_RETURN(image.platform.architecture, TextField(json, "architecture"));
  VARVE_ASSIGN_OR_RETURN(image.platform.variant, TextField(json, "variant"));
  VARVE_ASSIGN_OR_RETURN(const Json* const config, ObjectField(json, "config"));
  VARVE_ASSIGN_OR_RETURN(image.config, ParseContainerConfig(*config));
  VARVE_ASSIGN_OR_RETURN(const Json* const rootfs, ObjectField(json, "rootfs"));
  VARVE_ASSIGN_OR_RETURN(image.diff_ids, ParseDiffIds(*rootfs));
  VARVE_ASSIGN_OR_RETURN(const Json* const history, ArrayField(json, "history"));
  for (const Json& item : *history) {
    VARVE_ASSIGN_OR_RETURN(HistoryEntry entry, ParseHistoryEntry(item));
    image.history.push_back(std::move(entry));
  }
  return image;
}

}  // namespace

Result<ImageConfig> ParseImageConfig(ByteSpan json) { return ParseUnnamed(json).In("image config"); }

}  // namespace varve
