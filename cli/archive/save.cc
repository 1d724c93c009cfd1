#include "cli/archive/save.h"

#include <algorithm>
#include <utility>

#include "cached/content/sha256.h"
#include "cached/oci/docker_archive.h"
#include "cached/oci/image_config.h"
#include "cached/oci/layout.h"
#include "cached/oci/media_types.h"
#include "cached/oci/reference.h"
#include "cli/archive/archive_head.h"
#include "cli/archive/plain_manifest.h"

namespace varve {
namespace {

struct SavedImage {
  v1::ImageDetail detail;
  std::vector<Reference> names;
  ImageConfig config;
  std::string manifest;
};

class Save {
 public:
  explicit Save(DaemonClient& daemon) : daemon_(daemon) {}

  Status AddArgument(const std::string& text) {
    const auto name = Reference::Parse(text);
    const bool tagless = name.ok() && !name->digest && name->tag == "latest" && !text.ends_with(":latest");
    if (tagless) {
      VARVE_ASSIGN_OR_RETURN(const bool found, AddAllTags(*name));
      if (found) return Ok();
    }
    return AddImage(text);
  }

  Status Write(TarOutput& output) {
    VARVE_RETURN_IF_ERROR(StartArchive(output, IndexOfAll(), DockerList()));
    for (const SavedImage& image : images_) {
      for (const std::string& document : {image.manifest, image.detail.config()}) {
        VARVE_RETURN_IF_ERROR(output.AddFile(LayoutBlobName(Sha256Of(AsBytes(document))), AsBytes(document)));
      }
    }
    return WriteLayers(output);
  }

 private:
  Result<bool> AddAllTags(const Reference& repository) {
    VARVE_ASSIGN_OR_RETURN(const v1::ListImagesReply list, daemon_.ListImages());
    std::vector<std::string> names;
    for (const auto& image : list.images()) {
      if (image.repository() == repository.FamiliarRepository() && !image.tag().empty())
        names.push_back(image.repository() + ":" + image.tag());
    }
    std::ranges::sort(names);
    for (const std::string& name : names) VARVE_RETURN_IF_ERROR(AddImage(name));
    return !names.empty();
  }

  Status AddImage(const std::string& text) {
    if (text.find("@layer:") != std::string::npos)
      return Error(Code::kInvalidArgument, text + ": only whole images can be saved");
    VARVE_ASSIGN_OR_RETURN(v1::ImageDetail detail, daemon_.InspectImage(text, DaemonClient::Purpose::kLook));
    auto found = std::ranges::find_if(
        images_, [&](const SavedImage& image) { return image.detail.config_digest() == detail.config_digest(); });
    if (found == images_.end()) {
      VARVE_ASSIGN_OR_RETURN(SavedImage image, Describe(std::move(detail)));
      found = images_.insert(images_.end(), std::move(image));
    }
    const auto name = Reference::Parse(text);
    const bool named = name.ok() && !name->digest &&
                       std::ranges::find(found->detail.tags(), name->Familiar()) != found->detail.tags().end();
    if (named && std::ranges::find(found->names, *name) == found->names.end()) found->names.push_back(*name);
    return Ok();
  }

  static Result<SavedImage> Describe(v1::ImageDetail detail) {
    SavedImage image;
    VARVE_ASSIGN_OR_RETURN(image.config, ParseImageConfig(AsBytes(detail.config())));
    VARVE_ASSIGN_OR_RETURN(image.manifest, PlainManifest(detail));
    image.detail = std::move(detail);
    return image;
  }

  Index IndexOfAll() const {
    Index index;
    index.media_type = kOciIndexType;
    for (const SavedImage& image : images_) {
      Descriptor entry = DescriptorOf(kOciManifestType, Sha256Of(AsBytes(image.manifest)), image.manifest.size());
      if (!image.config.platform.os.empty()) entry.platform = image.config.platform;
      if (image.names.empty()) index.manifests.push_back(entry);
      for (const Reference& name : image.names) {
        entry.annotations = {{kImageNameAnnotation, name.Canonical()}, {kRefNameAnnotation, name.tag}};
        index.manifests.push_back(entry);
      }
    }
    return index;
  }

  std::vector<DockerArchiveImage> DockerList() const {
    std::vector<DockerArchiveImage> list;
    for (const SavedImage& image : images_) {
      DockerArchiveImage& item = list.emplace_back();
      item.config = LayoutBlobName(Sha256Of(AsBytes(image.detail.config())));
      for (const Reference& name : image.names) item.repo_tags.push_back(name.Familiar());
      for (const Digest& diff_id : image.config.diff_ids) item.layers.push_back(LayoutBlobName(diff_id));
    }
    return list;
  }

  Status WriteLayers(TarOutput& output) {
    std::vector<std::string> diff_ids;
    std::vector<std::pair<Digest, std::uint64_t>> layers;
    for (const SavedImage& image : images_) {
      for (std::size_t i = 0; i < image.config.diff_ids.size(); ++i) {
        const Digest& diff_id = image.config.diff_ids[i];
        if (std::ranges::find(layers, diff_id, [](const auto& layer) { return layer.first; }) != layers.end()) continue;
        layers.emplace_back(diff_id, image.detail.layer_bytes(static_cast<int>(i)));
        diff_ids.push_back(diff_id.ToString());
      }
    }
    std::size_t started = 0;
    const auto start_until = [&](std::size_t end) -> Status {
      for (; started < end; ++started)
        VARVE_RETURN_IF_ERROR(output.StartFile(LayoutBlobName(layers[started].first), layers[started].second));
      return Ok();
    };
    VARVE_RETURN_IF_ERROR(daemon_.ReadLayers(diff_ids, [&](std::size_t layer, ByteSpan piece) -> Status {
      if (layer >= layers.size()) return Error(Code::kInternal, "the daemon sent a layer that nobody asked for");
      VARVE_RETURN_IF_ERROR(start_until(layer + 1));
      return output.Append(piece);
    }));
    return start_until(layers.size());
  }

  DaemonClient& daemon_;
  std::vector<SavedImage> images_;
};

}  // namespace

Status SaveImages(DaemonClient& daemon, const std::vector<std::string>& images, TarOutput& output) {
  Save save(daemon);
  for (const std::string& image : images) VARVE_RETURN_IF_ERROR(save.AddArgument(image));
  VARVE_RETURN_IF_ERROR(save.Write(output));
  return output.Finish();
}

}  // namespace varve
