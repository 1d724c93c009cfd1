#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cached/client/daemon_client.h"
#include "cached/oci/platform.h"
#include "cli/archive/image_location.h"
#include "cli/archive/source_image.h"

namespace varve {

// An OCI layout in a directory, or an archive of images: a tar, compressed or not, "-" for standard input.
Result<std::unique_ptr<ImageFiles>> OpenImageFiles(const std::string& path);

// All images that are there, in order: those of an OCI layout, else those of docker's manifest.json. Of one with
// several platforms the one for `platform`. They have the names that stand there with their repositories. Errors name
// the files.
Result<std::vector<SourceImage>> FindImages(ImageFiles& files, const Platform& platform);

// Brings the image that is in files at `source` into the store, under `name`. Without one it has the name that its
// archive or layout gives it; if that is a tag alone localhost/NAME:TAG, of the last part of DIR or FILE without
// ".tar…"; if that cannot name a repository it is known by its id alone.
Status LoadFrom(DaemonClient& daemon, const ImageLocation& source, const Platform& platform, const std::string& name,
                const DaemonClient::OnPullEvent& on_event);

// Brings `image` into the store and gives it its names. An image whose config is here already keeps the manifest that
// it has.
Status LoadImage(DaemonClient& daemon, ImageFiles& files, const SourceImage& image,
                 const DaemonClient::OnPullEvent& on_event);

}  // namespace varve
