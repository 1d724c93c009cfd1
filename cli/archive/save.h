#pragma once

#include <string>
#include <vector>

#include "cached/client/daemon_client.h"
#include "cli/archive/tar_output.h"

namespace varve {

// Writes an archive of images as docker from 25 on does: a tar that is an OCI layout, with docker's manifest.json
// beside it. Layers are plain tars, so that diff IDs and image ids stay; each is there once. What says what is inside
// comes first. The same images under the same names give the same bytes. Names are as in docker: NAME:TAG is saved
// under that name, NAME with all tags that it has, an id or digest without a name. kNotFound before anything is
// written.
Status SaveImages(DaemonClient& daemon, const std::vector<std::string>& images, TarOutput& output);

}  // namespace varve
