#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cached/oci/image_tree.h"
#include "cli/archive/source_image.h"

namespace varve {

// The images of an OCI layout, in order, of several platforms the one for `platform`; attestations are none. They have
// the names that stand there with their repositories (containerd's annotation, or a whole reference as ref.name).
Result<std::vector<SourceImage>> FindLayoutImages(ImageFiles& files, const Platform& platform);

// The image tagged `tag`, as ChooseByTag chooses. One that has no name of its own becomes localhost/NAME:TAG, of the
// last part of `path` without ".tar…"; if that cannot name a repository it stays without.
Result<SourceImage> FindLayoutImage(ImageFiles& files, const std::string& path, const std::string& tag,
                                    const Platform& platform);

// All documents of the image tagged `tag`, for one platform or for all; its blobs are files LayoutBlobName.
Result<ImageTree> FindLayoutTree(ImageFiles& files, const std::string& tag, const std::optional<Platform>& platform);

}  // namespace varve
