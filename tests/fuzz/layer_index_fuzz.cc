#include <array>
#include <cstddef>
#include <cstdint>

#include "cached/base/check.h"
#include "cached/tree/merge.h"
#include "tests/tree/corruption.h"
#include "tests/tree/layer_builder.h"
#include "tests/tree/read_everything.h"

// A whole index file; its checksum is put right, so that the input reaches the checks behind it. What passes them must
// be safe to read, and its merge must be refused or pass the checks too.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size < varve::kIndexHeaderBytes) return 0;
  const auto* bytes = reinterpret_cast<const std::byte*>(input);
  varve::Bytes file(bytes, bytes + size);
  varve::FixChecksum(file);
  const varve::Digest diff_id = varve::Digest::FromBytes(varve::ByteSpan(file).subspan(32, 32)).value();
  const auto index = varve::LayerIndex::Open(file, diff_id, varve::IndexCheck::kFull);
  if (!index.ok()) return 0;
  varve::ReadEverything(*index);
  const varve::LayerIndex twice[] = {*index, *index};
  const auto merged = varve::Written([&](varve::File& to) { return varve::MergeLayers(twice, to); });
  if (!merged.ok()) return 0;
  const varve::ChainId chain_id = varve::ChainIdOf(std::array{diff_id, diff_id});
  const auto image = varve::ImageIndex::Open(*merged, chain_id, varve::IndexCheck::kFull);
  VARVE_CHECK(image.ok() && image->CheckAgainst(twice).ok());
  return 0;
}
