#pragma once

#include <cstdint>

namespace varve {

// Slots are given by the daemon, from 1 on, to layers and images, and never used twice. The bound keeps the two top
// bits of a node id (slot << 32 | ordinal) 0, as overlayfs' xino needs, and the driver's table of slots small.
inline constexpr std::uint32_t kSlotMax = (1u << 22) - 1;

}  // namespace varve
