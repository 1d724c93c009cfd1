// Any bytes as an image config: refused, or within the limits.

#include <cstddef>
#include <cstdint>

#include "cached/base/check.h"
#include "cached/content/chain_id.h"
#include "cached/oci/image_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  const auto config = varve::ParseImageConfig(std::as_bytes(std::span(input, size)));
  if (!config.ok()) return 0;
  VARVE_CHECK(config->diff_ids.size() <= varve::kLayersMax);
  VARVE_CHECK(varve::ChainIdsOf(config->diff_ids).size() == config->diff_ids.size());
  return 0;
}
