#pragma once

#include <string>
#include <vector>

#include "cli/archive/source_image.h"

namespace varve {

// The images of an archive that `docker save` made (cached/oci/docker_archive.h), in order.
Result<std::vector<SourceImage>> FindDockerImages(ImageFiles& files);

// The one named `wanted`, under that name alone; the only one, if none is given.
Result<SourceImage> FindDockerImage(ImageFiles& files, const std::string& wanted);

}  // namespace varve
