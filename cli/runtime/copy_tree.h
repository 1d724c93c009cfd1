#pragma once

#include <string>

#include "cached/base/result.h"

namespace varve {

// Makes the directory `to`, which is empty, a copy of the directory `from`: contents, owners, modes, times of change,
// xattrs, hard links, devices and fifos. Sockets are left out. `from` does not change meanwhile.
Status CopyTree(int from, const std::string& to);

}  // namespace varve
