#include <nlohmann/json.hpp>
#include <utility>

#include "cli/archive/config_changes_json.h"
#include "cli/archive/import_config.h"

namespace varve {

namespace {

using Json = nlohmann::ordered_json;

}  // namespace

Result<std::string> ImportConfigJson(const ImportedImage& image) {
  Json config = Json::object();
  VARVE_RETURN_IF_ERROR(ApplyConfigChanges(image.changes, config));
  Json json = {{"architecture", image.platform.architecture}, {"os", image.platform.os}};
  if (!image.platform.variant.empty()) json["variant"] = image.platform.variant;
  json["created"] = image.created;
  json["config"] = std::move(config);
  json["rootfs"] = {{"type", "layers"}, {"diff_ids", Json::array({image.diff_id.ToString()})}};
  json["history"] = Json::array({{{"created", image.created}, {"comment", image.comment}}});
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace varve
