#pragma once

#include <string>
#include <vector>

#include "cli/archive/image_files.h"

namespace varve {

// An image of an archive that docker before 1.10 made (moby, image/spec/v1.md): the file "repositories" says which
// layer each name means, and every layer has a directory of its own, called by an id of 64 hex digits, with "layer.tar"
// and "json". There are no configs, and no digests.
struct AncientImage {
  std::vector<std::string> repo_tags;  // names as docker prints them
  std::string config;                  // made of the layers' "json", as docker does
  std::vector<std::string> layers;     // members, lowest first
};

// All that have a name, by their ids. Reads every layer once, since its digest stands nowhere. kResourceExhausted
// beyond kIndexEntriesMax names or kLayersMax layers of one image; errors name the archive.
Result<std::vector<AncientImage>> FindAncientImages(ImageFiles& files);

}  // namespace varve
