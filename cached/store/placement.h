#pragma once

#include <string_view>

#include "cached/pack/pack_writer.h"
#include "cached/store/records.pb.h"
#include "cached/tree/locator_table.h"

namespace varve {

// Between a placement's four spellings: the pack library's, the index's, the locator table's and a key.

inline store::Placement ToPlacement(const PackLocation& location, std::uint32_t raw_bytes, bool grouped) {
  store::Placement placement;
  placement.set_pack(location.pack.number);
  placement.set_offset_bytes(location.offset_bytes);
  placement.set_frame_bytes(location.length_bytes);
  placement.set_raw_bytes(raw_bytes);
  placement.set_grouped(grouped);
  return placement;
}

inline PackLocation LocationOf(const store::Placement& placement) {
  return {PackId{placement.pack()}, placement.offset_bytes(), placement.frame_bytes()};
}

inline Locator ToLocator(const PackLocation& location) {
  return {location.pack.number, location.offset_bytes, location.length_bytes};
}

inline std::string_view KeyOf(const Digest& digest) { return AsText(digest.span()); }

}  // namespace varve
