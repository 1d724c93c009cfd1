#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cached/base/fs.h"
#include "cached/base/root_paths.h"

namespace varve {

struct RebuildOutcome {
  std::uint64_t packs = 0;
  std::uint64_t frames = 0;
  std::uint64_t chunks = 0;
  std::uint64_t layers = 0;
  std::uint64_t images = 0;  // manifests
  std::uint64_t names = 0;
  std::uint64_t originals = 0;      // files of blobs that have their record again
  std::vector<std::string> damage;  // what could not be used, a line each
};

// Makes the index (db/) anew from packs alone, and of a registry what the files of its blobs are there for; the essay
// is in rebuild.cc. No daemon may run. kFailedPrecondition if there is an index: it is moved away or removed by whoever
// asks for this. The index becomes visible whole, at the end.
Result<RebuildOutcome> RebuildIndex(Fs& fs, const RootPaths& paths);

}  // namespace varve
