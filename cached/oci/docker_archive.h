#pragma once

#include <span>
#include <string>
#include <vector>

#include "cached/base/bytes.h"

namespace varve {

// One image of an archive that `docker save` makes (moby, image/tarexport): an entry of the member manifest.json.
struct DockerArchiveImage {
  std::string config;                  // a member
  std::vector<std::string> repo_tags;  // names as docker prints them; may be none
  std::vector<std::string> layers;     // members, lowest first

  bool operator==(const DockerArchiveImage&) const = default;
};

// From the bytes of manifest.json. kInvalidArgument if it is not a list of such images, kResourceExhausted beyond
// kManifestBytesMax, kIndexEntriesMax images, or kLayersMax layers or names of one. Members are as they stand there.
Result<std::vector<DockerArchiveImage>> ParseDockerArchive(ByteSpan json);

std::string DockerArchiveJson(std::span<const DockerArchiveImage> images);

}  // namespace varve
