#pragma once

#include <string_view>

#include "cached/base/result.h"

namespace varve {

// All of `text` to one of our standard streams, however long that takes.
Status WriteOutput(int fd, std::string_view text);

}  // namespace varve
