#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cached/base/bytes.h"
#include "cached/base/result.h"
#include "cached/content/digest.h"

namespace varve {

// What `varve commit` adds to the config of a container's image. Empty and none: as it is there.
struct CommittedImage {
  std::vector<std::string> env = {};  // all of it
  std::optional<std::vector<std::string>> entrypoint = {};
  std::optional<std::vector<std::string>> cmd = {};
  std::string user = {};
  std::string working_dir = {};
  std::string stop_signal = {};
  std::vector<std::string> volumes = {};  // more of them
  std::vector<std::pair<std::string, std::string>> labels = {};
  std::vector<std::string> changes = {};  // instructions of a Dockerfile (config_changes_json.h)
  Digest diff_id = {};                    // of the layer on top
  std::string created = {};               // RFC 3339
  std::string author = {};
  std::string comment = {};
  std::string created_by = {};
};

// The config of that image, on top of the one whose config is `base`; what is not named above stays, known or not.
// kInvalidArgument names a change that cannot be meant.
Result<std::string> CommitConfigJson(ByteSpan base, const CommittedImage& image);

// The manifest with one layer more, plain, and the config `config`.
struct CommittedLayer {
  Digest diff_id;
  std::uint64_t tar_bytes;
};
Result<std::string> CommitManifestJson(ByteSpan base, const std::string& config, const CommittedLayer& layer);

}  // namespace varve
