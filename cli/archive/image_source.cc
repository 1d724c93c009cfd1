#include "cli/archive/image_source.h"

#include <algorithm>
#include <filesystem>

#include "cli/archive/docker_images.h"
#include "cli/archive/layout_directory.h"
#include "cli/archive/layout_images.h"
#include "cli/archive/plain_file.h"
#include "cli/archive/tar_members.h"

namespace varve {
namespace {

Status Send(DaemonClient& daemon, ImageFiles& files, const SourceImage& image,
            const DaemonClient::OnPullEvent& on_event) {
  v1::LoadRequest::Start start;
  if (!image.names.empty()) start.set_reference(image.names.front());
  start.set_manifest(image.manifest);
  start.set_config(image.config);
  VARVE_RETURN_IF_ERROR(daemon.Load(
      start,
      [&](const std::string& digest, const DaemonClient::Send& send) -> Status {
        const auto blob = image.blobs.find(digest);
        if (blob == image.blobs.end()) return Error(Code::kInternal, "no layer of the image is " + digest);
        return files.Read(blob->second, send);
      },
      on_event));
  for (std::size_t i = 1; i < image.names.size(); ++i) {
    VARVE_RETURN_IF_ERROR(daemon.TagImage(image.names.front(), image.names[i]));
  }
  return Ok();
}

}  // namespace

Result<std::unique_ptr<ImageFiles>> OpenImageFiles(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return std::unique_ptr<ImageFiles>(new LayoutDirectory(path));
  VARVE_ASSIGN_OR_RETURN(UniqueFd tar, OpenPlain(path));
  VARVE_ASSIGN_OR_RETURN(std::unique_ptr<ImageFiles> members,
                         TarMembers::Open(std::move(tar), path == kStandardInput ? "standard input" : path));
  return members;
}

Result<std::vector<SourceImage>> FindImages(ImageFiles& files, const Platform& platform) {
  VARVE_ASSIGN_OR_RETURN(const auto index, files.SizeOf("index.json"));
  return index ? FindLayoutImages(files, platform) : FindDockerImages(files);
}

Status LoadFrom(DaemonClient& daemon, const ImageLocation& source, const Platform& platform, const std::string& name,
                const DaemonClient::OnPullEvent& on_event) {
  VARVE_ASSIGN_OR_RETURN(const auto files, OpenImageFiles(source.place));
  const bool docker = source.kind == ImageLocation::Kind::kDockerArchive;
  VARVE_ASSIGN_OR_RETURN(SourceImage image, docker ? FindDockerImage(*files, source.name)
                                                   : FindLayoutImage(*files, source.place, source.name, platform));
  if (!name.empty()) image.names = {name};
  return docker ? LoadImage(daemon, *files, image, on_event) : Send(daemon, *files, image, on_event);
}

Status LoadImage(DaemonClient& daemon, ImageFiles& files, const SourceImage& image,
                 const DaemonClient::OnPullEvent& on_event) {
  const std::string id = image.config_digest.ToString();
  const auto known = daemon.InspectImage(id, DaemonClient::Purpose::kLook);
  if (!known.ok() || known->config_digest() != id) return Send(daemon, files, image, on_event);
  for (const std::string& name : image.names) VARVE_RETURN_IF_ERROR(daemon.TagImage(id, name));
  v1::PullEvent done;
  done.mutable_done()->set_manifest_digest(known->manifest_digest());
  done.mutable_done()->set_config_digest(id);
  done.mutable_done()->set_up_to_date(true);
  if (!image.names.empty()) done.mutable_done()->set_reference(image.names.front());
  on_event(done);
  return Ok();
}

}  // namespace varve
