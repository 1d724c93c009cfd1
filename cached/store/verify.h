#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cached/store/store.h"

namespace varve {

// One damaged stretch of a pack, or something that is not where the index says.
struct Damage {
  PackId pack;
  std::uint64_t offset_bytes = 0;
  std::string reason;
  std::vector<Digest> chunks;           // that cannot be read any more
  std::vector<std::string> belongs_to;  // "layer sha256:… (image name)", "manifest sha256:…"
  std::string ToString() const;
};

struct VerifyProgress {
  std::uint64_t done_bytes = 0;
  std::uint64_t total_bytes = 0;
  std::uint64_t frames = 0;
};

// Reads every durable byte of every pack: headers, XXH3 and SHA-256 of each frame, zeros between frames; then looks
// whether everything that the index points to is among what was sound. Runs beside everything else; packs that the
// collector drops meanwhile are skipped. Errors are for what could not be looked at; damage is the result.
Result<std::vector<Damage>> VerifyStore(Store& store, const std::function<Status(const VerifyProgress&)>& progress);

}  // namespace varve
