#pragma once

#include <span>

#include "cached/oci/docker_archive.h"
#include "cached/oci/manifest.h"
#include "cli/archive/tar_output.h"

namespace varve {

// Begins an archive that is an OCI layout, with docker's manifest.json beside it unless `docker` is empty: what says
// what is inside comes first. The blobs that follow are called as in a layout.
Status StartArchive(TarOutput& output, const Index& index, std::span<const DockerArchiveImage> docker);

}  // namespace varve
