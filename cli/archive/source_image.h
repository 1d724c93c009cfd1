#pragma once

#include <map>
#include <string>
#include <vector>

#include "cached/content/digest.h"
#include "cli/archive/image_files.h"

namespace varve {

// An image that lies in files. All that is said of it is checked by the daemon again, but for what names its manifest.
struct SourceImage {
  std::vector<std::string> names;  // canonical references; may be none
  std::string manifest;            // verbatim; made here for an image of docker's archives, which hold none
  std::string config;              // verbatim
  Digest config_digest;
  std::map<std::string, std::string> blobs;  // of the layers: digest → file
};

}  // namespace varve
