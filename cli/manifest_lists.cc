#include "cli/manifest_lists.h"

#include <algorithm>

#include "cached/base/fs.h"
#include "cached/content/sha256.h"
#include "cached/oci/media_types.h"

namespace varve {
namespace {

Error NoSuchList(const Reference& list) {
  return {Code::kNotFound, "No such manifest list: " + list.Familiar() + "; make it by varve manifest create"};
}

}  // namespace

// A name may be longer than a file's.
std::string ManifestLists::PathOf(const Reference& list) const {
  return directory_ + "/" + Sha256Of(AsBytes(list.Canonical())).hex() + ".json";
}

Result<std::optional<Index>> ManifestLists::Find(const Reference& list) const {
  const auto bytes = ReadWholeFile(Fs::Real(), PathOf(list), kManifestBytesMax);
  if (!bytes.ok() && bytes.error().code() == Code::kNotFound) return std::optional<Index>();
  if (!bytes.ok()) return bytes.error();
  VARVE_ASSIGN_OR_RETURN(Index index, ParseIndex(*bytes, "").In("manifest list " + list.Familiar()));
  for (const Descriptor& manifest : index.manifests) {
    if (!manifest.annotations.contains(kFoundByAnnotation))
      return Error(Code::kDataLoss, "manifest list " + list.Familiar() + ": is damaged; make it anew");
  }
  return std::optional(std::move(index));
}

Result<Index> ManifestLists::Get(const Reference& list) const {
  VARVE_ASSIGN_OR_RETURN(auto found, Find(list));
  if (!found) return NoSuchList(list);
  return *std::move(found);
}

Status ManifestLists::Keep(const Reference& list, const Index& index) const {
  VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(directory_));
  return WriteFileAtomically(Fs::Real(), PathOf(list), AsBytes(IndexJson(index)));
}

Status ManifestLists::Forget(const Reference& list) const {
  Status removed = Fs::Real().Remove(PathOf(list));
  if (!removed.ok() && removed.error().code() == Code::kNotFound) return NoSuchList(list);
  return removed;
}

std::string ManifestLists::Published(Index index) {
  const bool docker = std::ranges::all_of(
      index.manifests, [](const Descriptor& manifest) { return manifest.media_type == kDockerManifestType; });
  index.media_type = docker ? kDockerIndexType : kOciIndexType;
  for (Descriptor& manifest : index.manifests) manifest.annotations.erase(kFoundByAnnotation);
  return IndexJson(index);
}

}  // namespace varve
