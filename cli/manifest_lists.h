#pragma once

#include <optional>
#include <string>

#include "cached/base/root_paths.h"
#include "cached/oci/manifest.h"
#include "cached/oci/reference.h"

namespace varve {

// In a list, of each manifest: the reference, with the digest, that it was found by.
inline constexpr const char* kFoundByAnnotation = "io.varve.found-by";

// The lists of manifests that `varve manifest create` makes and `push` sends: an index each, in a file of its own below
// the root. Errors name the list.
class ManifestLists {
 public:
  explicit ManifestLists(const RootPaths& paths) : directory_(paths.manifest_lists()) {}

  Result<std::optional<Index>> Find(const Reference& list) const;
  Result<Index> Get(const Reference& list) const;
  // Replaces what was kept under that name.
  Status Keep(const Reference& list, const Index& index) const;
  Status Forget(const Reference& list) const;

  // What a registry gets: without kFoundByAnnotation; docker's list where all manifests are docker's, else OCI's.
  static std::string Published(Index index);

 private:
  std::string PathOf(const Reference& list) const;

  const std::string directory_;
};

}  // namespace varve
