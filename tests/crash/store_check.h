#pragma once

#include <string>
#include <vector>

#include "tests/crash/synthetic_images.h"

namespace varve {

// What is wrong with a store that was just opened and is idle, a line each:
// - damage that `store verify` finds;
// - a name, manifest, image index or layer that is not complete: whatever the index shows has to give back its exact
//   bytes, a layer its exact tar;
// - a pack or index file that no record knows, is missing, or has another length than the record says.
std::vector<std::string> CheckStore(Store& store, const SyntheticImages& images);

// Nothing is wrong with `image` in a store that others use meanwhile, and that `name` keeps.
Status ReadImage(Store& store, const SyntheticImages& images, std::size_t image);

}  // namespace varve
