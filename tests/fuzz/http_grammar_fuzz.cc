// Any text as a target, a Range field, and an address to listen at.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cached/base/check.h"
#include "cached/http/listen_address.h"
#include "cached/http/range.h"
#include "cached/http/target.h"

namespace {

bool HasControl(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(input), size);
  if (const auto target = varve::ParseHttpTarget(text); target.ok()) {
    VARVE_CHECK(target->path.starts_with('/') && !HasControl(target->path));
    for (const auto& [name, value] : target->query) VARVE_CHECK(!HasControl(name) && !HasControl(value));
  }
  for (const std::uint64_t size_bytes : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1000}, UINT64_MAX}) {
    const varve::HttpRange range = varve::ParseHttpRange(text, size_bytes);
    VARVE_CHECK(range.offset_bytes <= size_bytes && range.length_bytes <= size_bytes - range.offset_bytes);
    VARVE_CHECK(range.kind != varve::HttpRange::Kind::kPart || range.length_bytes > 0);
  }
  if (const auto address = varve::ListenAddress::Parse(text); address.ok()) {
    const auto again = varve::ListenAddress::Parse(address->text());
    VARVE_CHECK(again.ok() && again->host == address->host && again->port == address->port);
  }
  return 0;
}
