#pragma once

#include <optional>
#include <string>

#include "cached/oci/platform.h"
#include "cached/oci/reference.h"
#include "cached/registry/registry_client.h"
#include "cached/transfer/install.h"

namespace varve {

struct PullOutcome {
  std::string name;  // canonical reference
  Digest manifest_digest;
  Digest config_digest;
  bool up_to_date = false;  // the name meant this image before, and nothing was fetched
};

// Brings the image of `reference` for `platform` from its registry into the store, under that name or as `name`, a
// canonical reference. Errors name what they are about; nothing of a failed pull is visible.
Result<PullOutcome> PullImage(Store& store, ImageInstaller& installer, HttpTransport& transport,
                              const Reference& reference, const Platform& platform, const RegistryOptions& options,
                              const ProgressSink& progress, const CancelToken& cancel,
                              const std::optional<std::string>& name = std::nullopt);

}  // namespace varve
