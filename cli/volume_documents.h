#pragma once

#include <string>

#include "cli/runtime/volumes.h"

namespace varve {

// JSON texts in docker's shape: an object of `volume inspect`, and a row of `volume ls`.
std::string InspectVolumeJson(const VolumeRoom& room, const Volume& volume);
std::string VolumeRowJson(const VolumeRoom& room, const Volume& volume);

}  // namespace varve
