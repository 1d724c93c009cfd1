#include <cstddef>
#include <cstdint>

#include "tests/tree/corruption.h"
#include "tests/tree/read_everything.h"

// A whole index file; its checksum is put right, so that the input reaches the checks behind it. What passes them must
// be safe to read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size < varve::kIndexHeaderBytes) return 0;
  const auto* bytes = reinterpret_cast<const std::byte*>(input);
  varve::Bytes file(bytes, bytes + size);
  varve::FixChecksum(file);
  const varve::ChainId chain_id{varve::Digest::FromBytes(varve::ByteSpan(file).subspan(32, 32)).value()};
  const auto index = varve::ImageIndex::Open(file, chain_id, varve::IndexCheck::kFull);
  if (index.ok()) varve::ReadEverything(*index);
  return 0;
}
