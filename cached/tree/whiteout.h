#pragma once

#include <string_view>

#include "cached/base/result.h"

namespace varve {

// What a name in a layer's tar says about the layers below.
struct Whiteout {
  enum class Kind {
    kNone,      // an entry like any other
    kName,      // hides `hidden` beside it
    kOpaque,    // hides everything beside it
    kReserved,  // AUFS's own: not part of the image, but a hard link may name it
  };
  Kind kind = Kind::kNone;
  std::string_view hidden;  // kName; a view of what was parsed
};

// Reads the last component of a path. kInvalidArgument for a whiteout of nothing, "." or "..".
Result<Whiteout> ParseWhiteout(std::string_view name);

}  // namespace varve
