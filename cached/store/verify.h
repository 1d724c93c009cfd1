#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cached/store/store.h"

namespace varve {

// One damaged stretch of a pack, a file below index/ that does not say what it should, or something that is not where
// the index says.
struct Damage {
  PackId pack;  // 0: not in a pack
  std::uint64_t offset_bytes = 0;
  std::string reason;
  std::vector<Digest> chunks;  // that cannot be read any more
  std::vector<Digest> layers;  // diff IDs of those that these chunks are part of

  enum class Object {
    kLayerIndex,
    kTarRecipe,
    kImageIndex,
    kManifest,
    kConfig,
    kLayerFile,
    kImageFile,
    kLocators,
    kOriginal
  };
  struct Lost {
    Object object;
    Digest of;  // diff ID, chain ID, manifest or blob digest
    std::string ToString() const;
    auto operator<=>(const Lost&) const = default;
  };
  std::vector<Lost> lost;               // objects that cannot be read any more
  std::vector<std::string> belongs_to;  // "layer sha256:… (image name)", "manifest sha256:…"
  bool harmless = false;                // all that anybody needs of it is sound
  std::string ToString() const;
};

struct VerifyProgress {
  std::uint64_t done_bytes = 0;
  std::uint64_t total_bytes = 0;
  std::uint64_t frames = 0;
};

// Reads every durable byte of every pack: headers, XXH3 and SHA-256 of each frame, zeros between frames; then looks
// whether everything that the index points to, and each chunk of each layer, is among what was sound, and whether the
// files below index/ say the same, and whether the file of each blob of a repository has its digest. Runs beside
// everything else; packs that the collector drops meanwhile are skipped. What is damaged counts as absent from then on
// (LeaseTable::AddDamaged): the next pull of it writes it anew. Errors are for what could not be looked at; damage is
// the result.
Result<std::vector<Damage>> VerifyStore(Store& store, const std::function<Status(const VerifyProgress&)>& progress);

}  // namespace varve
