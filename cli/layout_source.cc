#include "cli/layout_source.h"

#include <fmt/core.h>

#include <filesystem>
#include <optional>
#include <utility>

#include "cached/base/fs.h"
#include "cached/oci/image_config.h"
#include "cached/oci/layout.h"
#include "cached/oci/manifest.h"
#include "cached/oci/reference.h"

namespace varve {
namespace {

constexpr int kIndexDepthMax = 4;
constexpr std::size_t kPieceBytes = 1 << 20;

// "DIR:TAG": the last colon divides, unless DIR itself has it.
std::pair<std::string, std::string> Split(const std::string& source) {
  std::error_code error;
  const std::size_t colon = source.rfind(':');
  if (colon == std::string::npos || std::filesystem::is_directory(source, error)) return {source, ""};
  return {source.substr(0, colon), source.substr(colon + 1)};
}

std::string BlobPath(const std::string& directory, const Digest& digest) {
  return directory + "/blobs/sha256/" + digest.hex();
}

// podman's way: an image of no registry is localhost's, so that it never passes for one of docker.io. None if the
// layout's directory has a name that no repository may have.
std::optional<Reference> NameOf(const std::string& directory, const std::string& tag) {
  if (tag.find_first_of("/:") != std::string::npos) {
    const auto whole = Reference::Parse(tag);
    return whole.ok() ? std::optional(*whole) : std::nullopt;
  }
  std::error_code error;
  const auto absolute = std::filesystem::canonical(directory, error);
  const auto name =
      Reference::Parse(fmt::format("localhost/{}{}{}", absolute.filename().string(), tag.empty() ? "" : ":", tag));
  return name.ok() ? std::optional(*name) : std::nullopt;
}

// An image's manifest, and the tag that the layout has it by.
struct Found {
  Bytes manifest;
  std::string tag;
};

Result<Found> ReadManifest(const std::string& directory, const std::string& tag, const Platform& platform) {
  VARVE_ASSIGN_OR_RETURN(const Bytes version,
                         ReadWholeFile(Fs::Real(), directory + "/oci-layout", 4096).In("no OCI layout"));
  VARVE_RETURN_IF_ERROR(CheckLayoutVersion(version).In(directory));
  VARVE_ASSIGN_OR_RETURN(const Bytes index_bytes,
                         ReadWholeFile(Fs::Real(), directory + "/index.json", kManifestBytesMax));
  VARVE_ASSIGN_OR_RETURN(const Index top, ParseIndex(index_bytes, "").In(directory + "/index.json"));
  VARVE_ASSIGN_OR_RETURN(Descriptor chosen, ChooseByTag(top, tag, platform).In(directory));
  const auto annotation = chosen.annotations.find(kRefNameAnnotation);
  const std::string name = annotation == chosen.annotations.end() ? "" : annotation->second;
  for (int depth = 0; depth < kIndexDepthMax; ++depth) {
    VARVE_ASSIGN_OR_RETURN(Bytes bytes,
                           ReadWholeFile(Fs::Real(), BlobPath(directory, chosen.digest), kManifestBytesMax));
    VARVE_ASSIGN_OR_RETURN(const ManifestKind kind,
                           DetectManifestKind(bytes, chosen.media_type).In("manifest " + chosen.digest.ToString()));
    if (kind == ManifestKind::kManifest) return Found{std::move(bytes), name};
    VARVE_ASSIGN_OR_RETURN(const Index index, ParseIndex(bytes, chosen.media_type));
    VARVE_ASSIGN_OR_RETURN(chosen, ChoosePlatform(index, platform).In(directory));
  }
  return Error(Code::kInvalidArgument, directory + ": indexes are nested too deeply");
}

Status SendFile(const std::string& path, const DaemonClient::Send& send) {
  VARVE_ASSIGN_OR_RETURN(const auto file, Fs::Real().Open(path, OpenMode::kRead));
  Bytes piece(kPieceBytes);
  for (std::uint64_t offset = 0;;) {
    VARVE_ASSIGN_OR_RETURN(const std::size_t size, file->ReadAt(offset, piece));
    if (size == 0) return Ok();
    VARVE_RETURN_IF_ERROR(send(ByteSpan(piece).first(size)));
    offset += size;
  }
}

}  // namespace

Status LoadFromLayout(DaemonClient& daemon, const std::string& source, const Platform& platform,
                      const DaemonClient::OnPullEvent& on_event) {
  const auto [directory, tag] = Split(source);
  VARVE_ASSIGN_OR_RETURN(const Found found, ReadManifest(directory, tag, platform));
  VARVE_ASSIGN_OR_RETURN(const Manifest manifest, ParseManifest(found.manifest, "").In(directory));
  VARVE_ASSIGN_OR_RETURN(const Bytes config,
                         ReadWholeFile(Fs::Real(), BlobPath(directory, manifest.config.digest), kConfigBytesMax));
  v1::LoadRequest::Start start;
  if (const auto name = NameOf(directory, found.tag)) start.set_reference(name->Canonical());
  start.set_manifest(std::string(AsText(found.manifest)));
  start.set_config(std::string(AsText(config)));
  return daemon.Load(
      start,
      [&](const std::string& digest, const DaemonClient::Send& send) -> Status {
        VARVE_ASSIGN_OR_RETURN(const Digest blob, Digest::Parse(digest));
        return SendFile(BlobPath(directory, blob), send);
      },
      on_event);
}

}  // namespace varve
