#pragma once

#include <functional>
#include <optional>

#include "cached/base/bytes.h"
#include "cached/base/result.h"

namespace varve {

// Takes a plain tar apart into the directory `directory`, on a thread of its own, which calls `source` for the tar
// piece by piece; an empty one is its end. `root` is the root directory meanwhile: symlinks are followed, as /lib to
// usr/lib has to be, and none that is below it or comes to be leads out. Without it the root directory is ours, and
// members that would go through a symlink are refused. Those that would go up are in any case.
Status ExtractTar(std::optional<int> root, int directory, const std::function<Result<Bytes>()>& source);

}  // namespace varve
