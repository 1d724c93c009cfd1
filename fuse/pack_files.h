#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "cached/base/mutex.h"
#include "cached/pack/pack_reader.h"

namespace varve {

inline constexpr std::size_t kOpenPacksMax = 256;

// The packs that are open, opened when first asked for. Thread-safe.
class PackFiles {
 public:
  explicit PackFiles(std::string directory) : directory_(std::move(directory)) {}

  Result<std::shared_ptr<const PackReader>> Get(std::uint32_t pack);
  // A read that is under way still ends well; the descriptor is closed after the last.
  void Close(std::span<const std::uint32_t> packs);

 private:
  const std::string directory_;
  Mutex mutex_;
  std::map<std::uint32_t, std::shared_ptr<const PackReader>> open_ GUARDED_BY(mutex_);
};

}  // namespace varve
