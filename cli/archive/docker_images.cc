#include "cli/archive/docker_images.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "cached/content/sha256.h"
#include "cached/oci/docker_archive.h"
#include "cached/oci/image_config.h"
#include "cached/oci/manifest.h"
#include "cached/oci/media_types.h"
#include "cached/oci/reference.h"
#include "cli/archive/ancient_images.h"

namespace varve {
namespace {

constexpr std::size_t kTarMagicAt = 257;
constexpr std::string_view kTarMagic = "ustar";

// How a layer of docker's archives is compressed, by its first bytes, as a media type has it. There is none for bzip2
// and xz: the daemon looks for itself.
std::string_view LayerTypeOf(std::string_view first) {
  if (first.starts_with("\x1f\x8b")) return kOciLayerGzipType;
  if (first.starts_with("\x28\xb5\x2f\xfd")) return kOciLayerZstdType;
  return kOciLayerType;
}

// Such an archive does not say what a layer's bytes are called. A plain tar is its diff ID, which the daemon verifies;
// anything else is read once to know.
Result<Descriptor> DescribeLayer(ImageFiles& files, const std::string& member, const Digest& diff_id) {
  VARVE_ASSIGN_OR_RETURN(const auto size, files.SizeOf(member));
  if (!size) return Error(Code::kNotFound, fmt::format("{}: layer {} is missing", files.what(), member));
  std::string first;
  Sha256 hash;
  bool plain = false;
  const Status read = files.Read(member, [&](ByteSpan piece) -> Status {
    if (first.size() < kTarMagicAt + kTarMagic.size()) {
      first += AsText(piece.first(std::min(piece.size(), kTarMagicAt + kTarMagic.size() - first.size())));
      plain = std::string_view(first).substr(std::min(first.size(), kTarMagicAt)) == kTarMagic;
    }
    if (plain) return Error(Code::kAborted, "enough is known");
    hash.Update(piece);
    return Ok();
  });
  if (!read.ok() && !plain) return read.error();
  return DescriptorOf(plain ? kOciLayerType : LayerTypeOf(first), plain ? diff_id : hash.Finish(), *size);
}

// The config's member is called by its digest in every archive of docker, podman or skopeo.
Status CheckConfigName(ImageFiles& files, const std::string& member, const Digest& digest) {
  const auto named = Digest::FromHexText(std::filesystem::path(member).stem().string());
  if (!named.ok() || *named == digest) return Ok();
  return Error(Code::kDataLoss,
               fmt::format("{}: {}: digest mismatch (got {})", files.what(), member, digest.ToString()));
}

// An image as its archive lists it.
struct Listed {
  DockerArchiveImage entry;
  std::optional<std::string> config;  // that is made, since the archive has none
};

// Its config, and where that stands.
Result<std::pair<Bytes, std::string>> ConfigOf(ImageFiles& files, const Listed& listed) {
  if (listed.config) return std::pair(ToBytes(*listed.config), std::string("repositories"));
  VARVE_ASSIGN_OR_RETURN(Bytes config, ReadSmall(files, listed.entry.config, kConfigBytesMax));
  VARVE_RETURN_IF_ERROR(CheckConfigName(files, listed.entry.config, Sha256Of(config)));
  return std::pair(std::move(config), listed.entry.config);
}

Result<SourceImage> ReadDockerImage(ImageFiles& files, const Listed& image_listed) {
  const DockerArchiveImage& listed = image_listed.entry;
  SourceImage image;
  for (const std::string& tag : listed.repo_tags) {
    VARVE_ASSIGN_OR_RETURN(const Reference name, Reference::Parse(tag).In(files.what()));
    if (name.digest) return Error(Code::kInvalidArgument, files.what() + ": " + tag + ": a tag cannot be a digest");
    image.names.push_back(name.Canonical());
  }
  VARVE_ASSIGN_OR_RETURN(const auto config, ConfigOf(files, image_listed));
  const auto& [config_bytes, stands] = config;
  image.config = AsText(config_bytes);
  image.config_digest = Sha256Of(config_bytes);
  VARVE_ASSIGN_OR_RETURN(const ImageConfig parsed, ParseImageConfig(config_bytes).In(files.what() + ": " + stands));
  if (parsed.diff_ids.size() != listed.layers.size()) {
    return Error(Code::kInvalidArgument,
                 fmt::format("{}: manifest.json lists {} layers, but {} has {} diff IDs", files.what(),
                             listed.layers.size(), stands, parsed.diff_ids.size()));
  }
  Manifest manifest;
  manifest.media_type = kOciManifestType;
  manifest.config = DescriptorOf(kOciConfigType, image.config_digest, config_bytes.size());
  for (std::size_t i = 0; i < listed.layers.size(); ++i) {
    VARVE_ASSIGN_OR_RETURN(Descriptor layer, DescribeLayer(files, listed.layers[i], parsed.diff_ids[i]));
    image.blobs[layer.digest.ToString()] = listed.layers[i];
    manifest.layers.push_back(std::move(layer));
  }
  image.manifest = ManifestJson(manifest);
  return image;
}

Result<std::vector<Listed>> ReadDockerList(ImageFiles& files) {
  std::vector<Listed> list;
  VARVE_ASSIGN_OR_RETURN(const auto listed, files.SizeOf("manifest.json"));
  if (listed) {
    VARVE_ASSIGN_OR_RETURN(const Bytes text, ReadSmall(files, "manifest.json", kManifestBytesMax));
    VARVE_ASSIGN_OR_RETURN(auto entries, ParseDockerArchive(text).In(files.what()));
    for (DockerArchiveImage& entry : entries) list.push_back({std::move(entry), std::nullopt});
    return list;
  }
  VARVE_ASSIGN_OR_RETURN(const auto ancient, files.SizeOf("repositories"));
  if (!ancient) {
    return Error(Code::kInvalidArgument, files.what() +
                                             ": neither an OCI layout nor an archive of docker save: it has no "
                                             "index.json, manifest.json or repositories");
  }
  VARVE_ASSIGN_OR_RETURN(auto images, FindAncientImages(files));
  for (AncientImage& image : images)
    list.push_back({{"", std::move(image.repo_tags), std::move(image.layers)}, std::move(image.config)});
  return list;
}

}  // namespace

Result<std::vector<SourceImage>> FindDockerImages(ImageFiles& files) {
  VARVE_ASSIGN_OR_RETURN(const std::vector<Listed> list, ReadDockerList(files));
  std::vector<SourceImage> images;
  for (const Listed& listed : list) {
    VARVE_ASSIGN_OR_RETURN(SourceImage image, ReadDockerImage(files, listed));
    images.push_back(std::move(image));
  }
  return images;
}

Result<SourceImage> FindDockerImage(ImageFiles& files, const std::string& wanted) {
  VARVE_ASSIGN_OR_RETURN(const std::vector<Listed> list, ReadDockerList(files));
  if (wanted.empty()) {
    if (list.size() == 1) return ReadDockerImage(files, list.front());
    return Error(Code::kInvalidArgument,
                 fmt::format("{}: has {} images: name one behind the file, FILE:NAME", files.what(), list.size()));
  }
  VARVE_ASSIGN_OR_RETURN(const Reference reference, Reference::Parse(wanted));
  for (Listed image : list) {
    std::vector<std::string>& tags = image.entry.repo_tags;
    const auto named = std::ranges::find_if(tags, [&](const std::string& tag) {
      const auto name = Reference::Parse(tag);
      return name.ok() && *name == reference;
    });
    if (named == tags.end()) continue;
    tags = {*named};
    return ReadDockerImage(files, image);
  }
  return Error(Code::kNotFound, fmt::format("{}: no image named {}", files.what(), reference.Familiar()));
}

}  // namespace varve
