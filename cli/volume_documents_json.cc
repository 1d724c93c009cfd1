#include <nlohmann/json.hpp>

#include "cli/listing/print.h"
#include "cli/volume_documents.h"

namespace varve {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kAnonymousLabel = "com.docker.volume.anonymous";

std::map<std::string, std::string> LabelsOf(const Volume& volume) {
  std::map<std::string, std::string> labels = volume.labels;
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
  return Text({{"Driver", "local"},
               {"Label", LabelsOf(volume)},
               {"Labels", LabelsText(LabelsOf(volume))},
               {"Mountpoint", room.DataOf(volume.name)},
               {"Name", volume.name},
               {"Scope", "local"}},
              -1);
}

}  // namespace varve
