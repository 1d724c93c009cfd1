#pragma once

#include <string>
#include <vector>

#include "cached/content/digest.h"
#include "cached/oci/platform.h"

namespace varve {

// What the image of `varve import` is, beside its one layer.
struct ImportedImage {
  Platform platform;
  Digest diff_id;
  std::string created;               // RFC 3339
  std::string comment;               // of its history
  std::vector<std::string> changes;  // one instruction each
};

// Its config. A change is an instruction of a Dockerfile (config_changes_json.h). kInvalidArgument names the change.
Result<std::string> ImportConfigJson(const ImportedImage& image);

}  // namespace varve
