#include <fmt/core.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "cli/volume_documents.h"

namespace varve {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kAnonymousLabel = "com.docker.volume.anonymous";

Json LabelsOf(const Volume& volume) {
  Json labels = Json::object();
  for (const auto& [key, value] : volume.labels) labels[key] = value;
  if (volume.anonymous) labels[kAnonymousLabel] = "";
  return labels;
}

std::string Text(const Json& json, int indent) { return json.dump(indent, ' ', false, Json::error_handler_t::replace); }

}  // namespace

std::string InspectVolumeJson(const VolumeRoom& room, const Volume& volume) {
  constexpr int kIndent = 4;
  return Text({{"CreatedAt", volume.created},
               {"Driver", "local"},
               {"Labels", LabelsOf(volume)},
               {"Mountpoint", room.DataOf(volume.name)},
               {"Name", volume.name},
               {"Options", nullptr},
               {"Scope", "local"}},
              kIndent);
}

std::string VolumeRowJson(const VolumeRoom& room, const Volume& volume) {
  std::vector<std::string> labels;
  for (const auto& [key, value] : volume.labels) labels.push_back(key + "=" + value);
  return Text({{"Driver", "local"},
               {"Label", LabelsOf(volume)},
               {"Labels", fmt::format("{}", fmt::join(labels, ","))},
               {"Mountpoint", room.DataOf(volume.name)},
               {"Name", volume.name},
               {"Scope", "local"}},
              -1);
}

}  // namespace varve
