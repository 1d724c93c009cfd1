#include "cli/archive/docker_images.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "cached/content/sha256.h"
#include "cached/oci/docker_archive.h"
#include "cached/oci/image_config.h"
#include "cached/oci/manifest.h"
#include "cached/oci/media_types.h"
#include "cached/oci/reference.h"

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

Result<SourceImage> ReadDockerImage(ImageFiles& files, const DockerArchiveImage& listed) {
  SourceImage image;
  for (const std::string& tag : listed.repo_tags) {
    VARVE_ASSIGN_OR_RETURN(const Reference name, Reference::Parse(tag).In(files.what()));
    if (name.digest) return Error(Code::kInvalidArgument, files.what() + ": " + tag + ": a tag cannot be a digest");
    image.names.push_back(name.Canonical());
  }
  VARVE_ASSIGN_OR_RETURN(const Bytes config_bytes, ReadSmall(files, listed.config, kConfigBytesMax));
  image.config = AsText(config_bytes);
  image.config_digest = Sha256Of(config_bytes);
  VARVE_RETURN_IF_ERROR(CheckConfigName(files, listed.config, image.config_digest));
  VARVE_ASSIGN_OR_RETURN(const ImageConfig config,
                         ParseImageConfig(config_bytes).In(files.what() + ": " + listed.config));
  if (config.diff_ids.size() != listed.layers.size()) {
    return Error(Code::kInvalidArgument,
                 fmt::format("{}: manifest.json lists {} layers, but {} has {} diff IDs", files.what(),
                             listed.layers.size(), listed.config, config.diff_ids.size()));
  }
  Manifest manifest;
  manifest.media_type = kOciManifestType;
  manifest.config = DescriptorOf(kOciConfigType, image.config_digest, config_bytes.size());
  for (std::size_t i = 0; i < listed.layers.size(); ++i) {
    VARVE_ASSIGN_OR_RETURN(Descriptor layer, DescribeLayer(files, listed.layers[i], config.diff_ids[i]));
    image.blobs[layer.digest.ToString()] = listed.layers[i];
    manifest.layers.push_back(std::move(layer));
  }
  image.manifest = ManifestJson(manifest);
  return image;
}

Result<std::vector<DockerArchiveImage>> ReadDockerList(ImageFiles& files) {
  VARVE_ASSIGN_OR_RETURN(const auto listed, files.SizeOf("manifest.json"));
  if (!listed) {
    VARVE_ASSIGN_OR_RETURN(const auto ancient, files.SizeOf("repositories"));
    return Error(
        Code::kInvalidArgument,
        files.what() + (ancient ? ": an archive of docker before 1.10, whose images have no config: load and save "
                                  "it with docker"
                                : ": neither an OCI layout nor an archive of docker save: it has no index.json and "
                                  "no manifest.json"));
  }
  VARVE_ASSIGN_OR_RETURN(const Bytes list, ReadSmall(files, "manifest.json", kManifestBytesMax));
  return ParseDockerArchive(list).In(files.what());
}

}  // namespace

Result<std::vector<SourceImage>> FindDockerImages(ImageFiles& files) {
  VARVE_ASSIGN_OR_RETURN(const std::vector<DockerArchiveImage> list, ReadDockerList(files));
  std::vector<SourceImage> images;
  for (const DockerArchiveImage& listed : list) {
    VARVE_ASSIGN_OR_RETURN(SourceImage image, ReadDockerImage(files, listed));
    images.push_back(std::move(image));
  }
  return images;
}

Result<SourceImage> FindDockerImage(ImageFiles& files, const std::string& wanted) {
  VARVE_ASSIGN_OR_RETURN(const std::vector<DockerArchiveImage> list, ReadDockerList(files));
  if (wanted.empty()) {
    if (list.size() == 1) return ReadDockerImage(files, list.front());
    return Error(Code::kInvalidArgument,
                 fmt::format("{}: has {} images: name one behind the file, FILE:NAME", files.what(), list.size()));
  }
  VARVE_ASSIGN_OR_RETURN(const Reference reference, Reference::Parse(wanted));
  for (DockerArchiveImage image : list) {
    const auto named = std::ranges::find_if(image.repo_tags, [&](const std::string& tag) {
      const auto name = Reference::Parse(tag);
      return name.ok() && *name == reference;
    });
    if (named == image.repo_tags.end()) continue;
    image.repo_tags = {*named};
    return ReadDockerImage(files, image);
  }
  return Error(Code::kNotFound, fmt::format("{}: no image named {}", files.what(), reference.Familiar()));
}

}  // namespace varve
