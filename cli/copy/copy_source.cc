#include "cli/copy/copy_source.h"

#include <utility>

#include "cached/oci/layout.h"
#include "cli/archive/docker_images.h"
#include "cli/archive/image_source.h"
#include "cli/archive/layout_images.h"
#include "cli/archive/plain_manifest.h"

namespace varve {
namespace {

using Kind = ImageLocation::Kind;
using Opened = std::unique_ptr<CopySource>;

// Of an OCI layout.
class LayoutSource final : public CopySource {
 public:
  LayoutSource(ImageTree image, std::unique_ptr<ImageFiles> files)
      : CopySource(std::move(image)), files_(std::move(files)) {}

  Status Read(std::span<const Descriptor> blobs, const OnPiece& on_piece) override {
    for (std::size_t i = 0; i < blobs.size(); ++i) {
      VARVE_RETURN_IF_ERROR(
          files_->Read(LayoutBlobName(blobs[i].digest), [&](ByteSpan piece) { return on_piece(i, piece); }));
    }
    return Ok();
  }

 private:
  const std::unique_ptr<ImageFiles> files_;
};

// Of docker's archive, which has other names for its blobs.
class DockerSource final : public CopySource {
 public:
  DockerSource(ImageTree image, std::unique_ptr<ImageFiles> files, SourceImage found)
      : CopySource(std::move(image)), files_(std::move(files)), found_(std::move(found)) {}

  Status Read(std::span<const Descriptor> blobs, const OnPiece& on_piece) override {
    for (std::size_t i = 0; i < blobs.size(); ++i) {
      if (blobs[i].digest == found_.config_digest) {
        VARVE_RETURN_IF_ERROR(on_piece(i, AsBytes(found_.config)));
        continue;
      }
      VARVE_RETURN_IF_ERROR(files_->Read(found_.blobs.at(blobs[i].digest.ToString()),
                                         [&](ByteSpan piece) { return on_piece(i, piece); }));
    }
    return Ok();
  }

 private:
  const std::unique_ptr<ImageFiles> files_;
  const SourceImage found_;
};

class StoreSource final : public CopySource {
 public:
  StoreSource(ImageTree image, DaemonClient& daemon, std::string config)
      : CopySource(std::move(image)), daemon_(daemon), config_(std::move(config)) {}

  // Layers that stand together are read in one call, so that all are leased from its beginning.
  Status Read(std::span<const Descriptor> blobs, const OnPiece& on_piece) override {
    const Digest& config = CopySource::image().blobs.front().digest;
    for (std::size_t at = 0; at < blobs.size();) {
      if (blobs[at].digest == config) {
        VARVE_RETURN_IF_ERROR(on_piece(at++, AsBytes(config_)));
        continue;
      }
      std::vector<std::string> diff_ids;
      for (std::size_t i = at; i < blobs.size() && blobs[i].digest != config; ++i)
        diff_ids.push_back(blobs[i].digest.ToString());
      VARVE_RETURN_IF_ERROR(
          daemon_.ReadLayers(diff_ids, [&](std::size_t layer, ByteSpan piece) { return on_piece(at + layer, piece); }));
      at += diff_ids.size();
    }
    return Ok();
  }

 private:
  DaemonClient& daemon_;
  const std::string config_;
};

class RegistrySource final : public CopySource {
 public:
  RegistrySource(ImageTree image, DaemonClient& daemon, std::string repository, v1::RegistryAccess access)
      : CopySource(std::move(image)), daemon_(daemon) {
    request_.set_repository(std::move(repository));
    *request_.mutable_access() = std::move(access);
  }

  Status Read(std::span<const Descriptor> blobs, const OnPiece& on_piece) override {
    request_.clear_blobs();
    for (const Descriptor& blob : blobs) {
      v1::ReadBlobsRequest::Blob& asked = *request_.add_blobs();
      asked.set_digest(blob.digest.ToString());
      asked.set_size_bytes(blob.size_bytes);
    }
    return daemon_.ReadBlobs(request_, on_piece);
  }

 private:
  DaemonClient& daemon_;
  v1::ReadBlobsRequest request_;
};

Result<Opened> OpenFiles(const ImageLocation& location, const std::optional<Platform>& platform) {
  VARVE_ASSIGN_OR_RETURN(auto files, OpenImageFiles(location.place));
  if (location.kind == Kind::kDockerArchive) {
    VARVE_ASSIGN_OR_RETURN(SourceImage found, FindDockerImage(*files, location.name));
    VARVE_ASSIGN_OR_RETURN(ImageTree image, ParseImageTree({ToBytes(found.manifest)}));
    return Opened(new DockerSource(std::move(image), std::move(files), std::move(found)));
  }
  VARVE_ASSIGN_OR_RETURN(ImageTree image, FindLayoutTree(*files, location.name, platform));
  return Opened(new LayoutSource(std::move(image), std::move(files)));
}

Result<Opened> OpenStored(DaemonClient& daemon, const std::string& name) {
  VARVE_ASSIGN_OR_RETURN(v1::ImageDetail detail, daemon.InspectImage(name, DaemonClient::Purpose::kLook));
  VARVE_ASSIGN_OR_RETURN(const std::string manifest, PlainManifest(detail));
  VARVE_ASSIGN_OR_RETURN(ImageTree image, ParseImageTree({ToBytes(manifest)}));
  return Opened(new StoreSource(std::move(image), daemon, std::move(*detail.mutable_config())));
}

Result<Opened> OpenAtRegistry(DaemonClient& daemon, const std::string& reference,
                              const std::optional<Platform>& platform, const v1::RegistryAccess& access) {
  v1::GetImageRequest request;
  request.set_reference(reference);
  request.mutable_choice()->set_all(!platform);
  if (platform) request.mutable_choice()->set_platform(platform->ToString());
  *request.mutable_access() = access;
  VARVE_ASSIGN_OR_RETURN(const v1::GetImageReply reply, daemon.GetImage(request));
  std::vector<Bytes> manifests;
  for (const std::string& manifest : reply.manifests()) manifests.push_back(ToBytes(manifest));
  VARVE_ASSIGN_OR_RETURN(ImageTree image, ParseImageTree(manifests));
  return Opened(new RegistrySource(std::move(image), daemon, reference, access));
}

}  // namespace

Result<std::unique_ptr<CopySource>> OpenCopySource(DaemonClient& daemon, const ImageLocation& location,
                                                   const std::optional<Platform>& platform,
                                                   const v1::RegistryAccess& access) {
  switch (location.kind) {
    case Kind::kRegistry:
      return OpenAtRegistry(daemon, location.place, platform, access);
    case Kind::kStore:
      return OpenStored(daemon, location.place);
    default:
      return OpenFiles(location, platform);
  }
}

}  // namespace varve
