#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cached/base/clock.h"
#include "cached/oci/reference.h"
#include "cached/store/images.h"

namespace varve {

// An image as a user named it.
struct FoundImage {
  Digest manifest_digest;
  store::Manifest record;
  std::vector<Digest> diff_ids;
  std::string name;  // canonical reference; empty if it was found by id
};

// Where a name of an image was pulled from.
struct ImageOrigin {
  std::string repository;       // canonical, without tag; empty: it did not come from a registry by that name
  std::optional<Digest> index;  // there, that the image was chosen from

  auto operator<=>(const ImageOrigin&) const = default;
};

// A name in the store as docker prints it; as it is if it is none.
std::string FamiliarOf(const std::string& canonical);

// The names of the images in a store, with docker's rules. Thread-safe.
class Catalog {
 public:
  Catalog(Store& store, Clock& clock) : store_(store), clock_(clock) {}

  // By name, or by a prefix of the config's or manifest's digest (with or without "sha256:"). Of
  // several manifests of one config the one with a name, else the one pulled last. kNotFound: "No such image: …";
  // kInvalidArgument if the prefix fits several images.
  Result<FoundImage> Find(std::string_view image) const;
  // And leases what it is made of (FindLeased): it cannot be collected for as long as `session` is open.
  Result<FoundImage> Find(std::string_view image, Leased what, LeaseTable::Session& session) const;

  struct Row {
    std::string name;  // canonical reference; empty: dangling
    Digest manifest_digest;
    store::Manifest record;
  };
  // A row a name, and one for each image without; newest first. As of one moment: what follows may have gone.
  Result<std::vector<Row>> List() const;
  // Canonical references of an image, sorted.
  Result<std::vector<std::string>> NamesOf(const Digest& manifest_digest) const;

  // Of the image by its name; of one that was found by id, what its names agree on. kFailedPrecondition if they do not.
  Result<ImageOrigin> OriginOf(const FoundImage& image) const;

  // The new name comes from where the image's does, if that is known.
  Status Tag(std::string_view image, std::string_view reference);

  struct Removed {
    std::vector<std::string> untagged;  // canonical references
    std::vector<Digest> deleted;        // config digests
  };
  // A name: that name, and the image if it was the last. An id: the image, with all manifests
  // that it has; kFailedPrecondition if it has several names, unless forced.
  enum class Force { kNo, kYes };
  Result<Removed> Remove(std::string_view image, Force force);

  // Remembers that an image was used, for eviction by least recent use.
  Status Touch(const Digest& manifest_digest);

 private:
  Result<std::optional<FoundImage>> FindByName(std::string_view image) const;
  // Of the one image that a prefix of its config's or a manifest's digest means: those that fit, the one that it means
  // first.
  Result<std::vector<Digest>> ManifestsById(std::string_view image) const;
  Result<FoundImage> FindById(std::string_view image) const;
  Result<FoundImage> Load(const Digest& manifest_digest, std::string name) const;

  Store& store_;
  Clock& clock_;
};

}  // namespace varve
