#pragma once

#include <set>
#include <string>

namespace varve {

// The images, by chain ID in hex, that are attached in the mount namespace of some process as far as /proc shows it:
// whole or in part, at any place. `mountpoint` is where they come from. Not those below an overlay, whose mount of the
// image is its own and can have nothing mounted in it.
std::set<std::string> AttachedImages(const std::string& mountpoint);

}  // namespace varve
