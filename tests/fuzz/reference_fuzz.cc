// Any text as a reference: refused, or the same again however it is written out.

#include <cstddef>
#include <cstdint>

#include "cached/base/check.h"
#include "cached/oci/reference.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  const auto reference = varve::Reference::Parse({reinterpret_cast<const char*>(input), size});
  if (!reference.ok()) return 0;
  for (const std::string& text : {reference->Canonical(), reference->Familiar()}) {
    const auto again = varve::Reference::Parse(text);
    VARVE_CHECK(again.ok() && *again == *reference);
  }
  VARVE_CHECK(reference->Canonical().starts_with(reference->Repository()));
  return 0;
}
