#include "cached/oci/image_tree.h"

#include <fmt/core.h>

#include <unordered_map>
#include <unordered_set>

#include "cached/content/sha256.h"
#include "cached/oci/media_types.h"

namespace varve {
namespace {

class TreeReader {
 public:
  TreeReader(const std::optional<Platform>& platform, const ManifestReader& read) : platform_(platform), read_(read) {}

  Status Add(Bytes bytes, const std::string& content_type, int depth) {
    const Digest digest = Sha256Of(bytes);
    if (!manifests_.insert(digest).second) return Ok();
    const std::string noun = "manifest " + digest.ToString();
    total_bytes_ += bytes.size();
    if (total_bytes_ > kImageTreeBytesMax || tree_.manifests.size() >= kIndexEntriesMax) {
      return Error(Code::kResourceExhausted, fmt::format("the image has more than {} manifests or {} bytes of them",
                                                         kIndexEntriesMax, kImageTreeBytesMax));
    }
    VARVE_ASSIGN_OR_RETURN(const ManifestKind kind, DetectManifestKind(bytes, content_type).In(noun));
    std::string media_type;
    if (kind == ManifestKind::kIndex) {
      if (depth == kIndexDepthMax) return Error(Code::kInvalidArgument, noun + ": indexes are nested too deeply");
      VARVE_ASSIGN_OR_RETURN(const Index index, ParseIndex(bytes, content_type).In(noun));
      if (platform_) {
        VARVE_ASSIGN_OR_RETURN(const Descriptor chosen, ChoosePlatform(index, *platform_).In(noun));
        if (depth == 0) tree_.index = digest;
        return AddNamed(chosen, depth + 1);
      }
      for (const Descriptor& child : index.manifests) VARVE_RETURN_IF_ERROR(AddNamed(child, depth + 1));
      media_type = index.media_type;
    } else {
      VARVE_ASSIGN_OR_RETURN(const Manifest manifest, ParseManifest(bytes, content_type).In(noun));
      AddBlob(manifest.config);
      for (const Descriptor& layer : manifest.layers) {
        if (!IsForeignLayer(layer.media_type)) AddBlob(layer);
      }
      media_type = manifest.media_type;
    }
    tree_.manifests.push_back({std::move(bytes), std::move(media_type), digest});
    return Ok();
  }

  ImageTree Take() { return std::move(tree_); }

 private:
  Status AddNamed(const Descriptor& manifest, int depth) {
    if (manifests_.contains(manifest.digest)) return Ok();
    VARVE_ASSIGN_OR_RETURN(Bytes bytes, read_(manifest));
    if (const Digest got = Sha256Of(bytes); got != manifest.digest) {
      return Error(Code::kDataLoss,
                   fmt::format("manifest {}: digest mismatch (got {})", manifest.digest.ToString(), got.ToString()));
    }
    return Add(std::move(bytes), manifest.media_type, depth);
  }

  void AddBlob(const Descriptor& blob) {
    if (blobs_.insert(blob.digest).second) tree_.blobs.push_back(blob);
  }

  const std::optional<Platform>& platform_;
  const ManifestReader& read_;
  std::unordered_set<Digest> manifests_;  // that have been read
  std::unordered_set<Digest> blobs_;
  std::size_t total_bytes_ = 0;
  ImageTree tree_;
};

}  // namespace

Result<ImageTree> ReadImageTree(Bytes top, const std::string& content_type, const std::optional<Platform>& platform,
                                const ManifestReader& read) {
  TreeReader reader(platform, read);
  VARVE_RETURN_IF_ERROR(reader.Add(std::move(top), content_type, 0));
  return reader.Take();
}

Result<ImageTree> ParseImageTree(const std::vector<Bytes>& manifests) {
  if (manifests.empty()) return Error(Code::kInvalidArgument, "an image without a manifest");
  std::unordered_map<Digest, const Bytes*> named;
  for (const Bytes& manifest : manifests) named[Sha256Of(manifest)] = &manifest;
  return ReadImageTree(manifests.back(), "", std::nullopt, [&](const Descriptor& manifest) -> Result<Bytes> {
    const auto found = named.find(manifest.digest);
    if (found != named.end()) return *found->second;
    return Error(Code::kNotFound, "manifest " + manifest.digest.ToString() + ": is missing");
  });
}

}  // namespace varve
