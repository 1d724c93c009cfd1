#pragma once

#include <compare>
#include <cstdint>

#include "cached/tree/slot.h"

namespace varve {

// A FUSE node id and inode number: slot << 32 | ordinal. A pure function of what it names, so that a new process that
// takes over a mount needs no table. An ordinal is an inode's place in the layer index or image index that has the
// slot.
struct NodeId {
  std::uint32_t slot = 0;
  std::uint32_t ordinal = 0;

  auto operator<=>(const NodeId&) const = default;
  static NodeId FromNumber(std::uint64_t number) {
    return {static_cast<std::uint32_t>(number >> 32), static_cast<std::uint32_t>(number)};
  }
  std::uint64_t number() const { return std::uint64_t{slot} << 32 | ordinal; }
};

// FUSE_ROOT_ID is 1; no slot is 0, so nothing else has this number.
inline constexpr NodeId kMountRoot{0, 1};

}  // namespace varve
