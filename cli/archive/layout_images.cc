#include "cli/archive/layout_images.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "cached/content/sha256.h"
#include "cached/oci/image_config.h"
#include "cached/oci/layout.h"
#include "cached/oci/manifest.h"
#include "cached/oci/reference.h"

namespace varve {
namespace {

constexpr std::size_t kLayoutFileBytesMax = 4096;

// A manifest or config of a layout, which is what its name says.
Result<Bytes> ReadBlob(ImageFiles& files, const Digest& digest, std::size_t most_bytes) {
  VARVE_ASSIGN_OR_RETURN(Bytes bytes, ReadSmall(files, LayoutBlobName(digest), most_bytes));
  const Digest got = Sha256Of(bytes);
  if (got == digest) return bytes;
  return Error(Code::kDataLoss,
               fmt::format("{}: {}: digest mismatch (got {})", files.what(), LayoutBlobName(digest), got.ToString()));
}

Result<ImageTree> ReadTree(ImageFiles& files, const Descriptor& entry, const std::optional<Platform>& platform) {
  const auto read = [&](const Descriptor& manifest) { return ReadBlob(files, manifest.digest, kManifestBytesMax); };
  VARVE_ASSIGN_OR_RETURN(Bytes top, read(entry));
  return ReadImageTree(std::move(top), entry.media_type, platform, read).In(files.what());
}

// The image of an entry of a layout's index, without names.
Result<SourceImage> ReadLayoutImage(ImageFiles& files, const Descriptor& entry, const Platform& platform) {
  VARVE_ASSIGN_OR_RETURN(const ImageTree tree, ReadTree(files, entry, platform));
  VARVE_ASSIGN_OR_RETURN(const Manifest manifest, ParseManifest(tree.top().bytes, tree.top().media_type));
  VARVE_ASSIGN_OR_RETURN(const Bytes config, ReadBlob(files, manifest.config.digest, kConfigBytesMax));
  SourceImage image;
  image.manifest = AsText(tree.top().bytes);
  image.config = AsText(config);
  image.config_digest = manifest.config.digest;
  for (const Descriptor& layer : manifest.layers) image.blobs[layer.digest.ToString()] = LayoutBlobName(layer.digest);
  return image;
}

Result<Index> ReadLayoutIndex(ImageFiles& files) {
  VARVE_ASSIGN_OR_RETURN(const Bytes version, ReadSmall(files, "oci-layout", kLayoutFileBytesMax).In("no OCI layout"));
  VARVE_RETURN_IF_ERROR(CheckLayoutVersion(version).In(files.what()));
  VARVE_ASSIGN_OR_RETURN(const Bytes index, ReadSmall(files, "index.json", kManifestBytesMax));
  return ParseIndex(index, "").In(files.what() + ": index.json");
}

std::string AnnotationOf(const Descriptor& entry, const char* key) {
  const auto found = entry.annotations.find(key);
  return found == entry.annotations.end() ? "" : found->second;
}

// The name that an entry has by itself: a whole one, not a tag.
std::optional<Reference> OwnName(const Descriptor& entry) {
  for (const char* key : {kImageNameAnnotation, kRefNameAnnotation}) {
    const std::string text = AnnotationOf(entry, key);
    if (text.find_first_of("/:") == std::string::npos) continue;
    if (const auto name = Reference::Parse(text); name.ok() && !name->digest) return *name;
  }
  return std::nullopt;
}

// Adds `image` under `name`; names of one image come together.
void Add(std::vector<SourceImage>& images, SourceImage image, const std::optional<Reference>& name) {
  auto found = std::ranges::find(images, image.manifest, &SourceImage::manifest);
  if (found == images.end()) found = images.insert(images.end(), std::move(image));
  if (name) found->names.push_back(name->Canonical());
}

// podman's way: an image of no registry is localhost's, so that it never passes for one of docker.io. None if the
// layout has a name that no repository may have.
std::optional<Reference> NameAfter(const std::string& path, const std::string& tag) {
  std::error_code error;
  std::string last = std::filesystem::canonical(path, error).filename().string();
  if (!std::filesystem::is_directory(path, error)) last = last.substr(0, last.find(".tar"));
  const auto name = Reference::Parse(fmt::format("localhost/{}{}{}", last, tag.empty() ? "" : ":", tag));
  return name.ok() ? std::optional(*name) : std::nullopt;
}

}  // namespace

Result<std::vector<SourceImage>> FindLayoutImages(ImageFiles& files, const Platform& platform) {
  VARVE_ASSIGN_OR_RETURN(const Index top, ReadLayoutIndex(files));
  // Entries of one name are one image's platforms; one without a name is an image of its own.
  std::vector<std::pair<std::optional<Reference>, Index>> entries;
  std::map<std::string, std::size_t> named;
  for (const Descriptor& entry : top.manifests) {
    if (IsAttestation(entry)) continue;
    const auto name = OwnName(entry);
    std::size_t at = entries.size();
    if (name) at = named.try_emplace(name->Canonical(), at).first->second;
    if (at == entries.size()) entries.emplace_back(name, Index());
    entries[at].second.manifests.push_back(entry);
  }
  std::vector<SourceImage> images;
  for (const auto& [name, platforms] : entries) {
    Descriptor chosen = platforms.manifests.front();
    if (name && platforms.manifests.size() > 1) {
      VARVE_ASSIGN_OR_RETURN(chosen, ChoosePlatform(platforms, platform).In(files.what() + ": " + name->Familiar()));
    }
    VARVE_ASSIGN_OR_RETURN(SourceImage image, ReadLayoutImage(files, chosen, platform));
    Add(images, std::move(image), name);
  }
  return images;
}

Result<SourceImage> FindLayoutImage(ImageFiles& files, const std::string& path, const std::string& tag,
                                    const Platform& platform) {
  VARVE_ASSIGN_OR_RETURN(const Index top, ReadLayoutIndex(files));
  VARVE_ASSIGN_OR_RETURN(const Descriptor chosen, ChooseByTag(top, tag, platform).In(files.what()));
  VARVE_ASSIGN_OR_RETURN(SourceImage image, ReadLayoutImage(files, chosen, platform));
  auto name = OwnName(chosen);
  if (!name) name = NameAfter(path, AnnotationOf(chosen, kRefNameAnnotation));
  if (name) image.names = {name->Canonical()};
  return image;
}

Result<ImageTree> FindLayoutTree(ImageFiles& files, const std::string& tag, const std::optional<Platform>& platform) {
  VARVE_ASSIGN_OR_RETURN(const Index top, ReadLayoutIndex(files));
  VARVE_ASSIGN_OR_RETURN(const Descriptor chosen,
                         ChooseByTag(top, tag, platform.value_or(Platform::Host())).In(files.what()));
  return ReadTree(files, chosen, platform);
}

}  // namespace varve
