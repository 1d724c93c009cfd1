#pragma once

#include <cstddef>

namespace varve {

// What the program has allocated, by counting and not by what the kernel says of the process. Linking this replaces the
// allocator: only for test programs that are about memory.
std::size_t AllocatedBytes();
// The most at once since the last ResetPeak.
std::size_t PeakAllocatedBytes();
void ResetPeak();

}  // namespace varve
