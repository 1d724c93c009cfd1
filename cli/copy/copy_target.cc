#include "cli/copy/copy_target.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "cached/base/fs.h"
#include "cached/oci/layout.h"
#include "cached/oci/media_types.h"
#include "cached/oci/reference.h"
#include "cli/archive/archive_head.h"
#include "cli/archive/output_file.h"
#include "cli/copy/read_verified.h"

namespace varve {
namespace {

using Kind = ImageLocation::Kind;

// What an index says of the image.
Descriptor EntryOf(const ImageTree& image, const std::string& tag) {
  Descriptor entry = DescriptorOf(image.top().media_type, image.top().digest, image.top().bytes.size());
  if (!tag.empty()) entry.annotations[kRefNameAnnotation] = tag;
  return entry;
}

// Files of a layout are for everyone who may enter it; those of OutputFile are their owner's.
Result<OutputFile> CreateFile(const std::string& path) {
  VARVE_ASSIGN_OR_RETURN(OutputFile file, OutputFile::Open(path));
  if (::fchmod(file.fd(), 0644) != 0) return ErrnoError(errno, path);
  return file;
}

Status WriteFile(const std::string& path, ByteSpan bytes) {
  VARVE_ASSIGN_OR_RETURN(OutputFile file, CreateFile(path));
  VARVE_RETURN_IF_ERROR(file.Write(bytes));
  return file.Publish();
}

class Layout final : public BlobSink {
 public:
  explicit Layout(std::string directory) : directory_(std::move(directory)) {}

  Status Add(CopySource& source, const std::string& tag, const DaemonClient::OnPullEvent& on_event) {
    std::error_code error;
    std::filesystem::create_directories(directory_ + "/blobs/sha256", error);
    if (error) return Error(Code::kFailedPrecondition, directory_ + ": " + error.message());
    VARVE_ASSIGN_OR_RETURN(const Bytes version, ReadIfThere("oci-layout"));
    if (version.empty()) {
      VARVE_RETURN_IF_ERROR(WriteFile(directory_ + "/oci-layout", AsBytes(LayoutVersionJson())));
    } else {
      VARVE_RETURN_IF_ERROR(CheckLayoutVersion(version).In(directory_));
    }
    std::vector<Descriptor> missing;
    for (const Descriptor& blob : source.image().blobs) {
      if (!Has(blob.digest, blob.size_bytes)) missing.push_back(blob);
    }
    VARVE_RETURN_IF_ERROR(ReadVerified(source, missing, *this, on_event));
    for (const ImageTree::Document& document : source.image().manifests) {
      if (!Has(document.digest, document.bytes.size()))
        VARVE_RETURN_IF_ERROR(WriteFile(PathOf(document.digest), document.bytes));
    }
    // Of two copies that add to it at once neither may take the other's entry away.
    const UniqueFd lock(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!lock.valid() || ::flock(lock.get(), LOCK_EX) != 0) return ErrnoError(errno, directory_);
    VARVE_ASSIGN_OR_RETURN(const Bytes before, ReadIfThere("index.json"));
    VARVE_ASSIGN_OR_RETURN(const std::string index,
                           AddToLayoutIndex(before, EntryOf(source.image(), tag)).In(directory_));
    return WriteFile(directory_ + "/index.json", AsBytes(index));
  }

  Status Begin(const Descriptor& blob) override {
    VARVE_ASSIGN_OR_RETURN(OutputFile file, CreateFile(PathOf(blob.digest)));
    file_ = std::make_unique<OutputFile>(std::move(file));
    return Ok();
  }
  Status Take(ByteSpan piece) override { return file_->Write(piece); }
  Status End() override { return file_->Publish(); }

 private:
  std::string PathOf(const Digest& digest) const { return directory_ + "/" + LayoutBlobName(digest); }
  bool Has(const Digest& digest, std::uint64_t size_bytes) const {
    const auto size = Fs::Real().FileSize(PathOf(digest));
    return size.ok() && *size == size_bytes;
  }
  // Empty if there is none.
  Result<Bytes> ReadIfThere(const std::string& name) const {
    auto bytes = ReadWholeFile(Fs::Real(), directory_ + "/" + name, kManifestBytesMax);
    if (!bytes.ok() && bytes.error().code() == Code::kNotFound) return Bytes();
    return bytes;
  }

  const std::string directory_;
  std::unique_ptr<OutputFile> file_;  // the blob that is being written
};

class Archive final : public BlobSink {
 public:
  Archive(TarOutput output, OutputFile& file) : output_(std::move(output)), file_(file) {}

  Status Write(CopySource& source, const Descriptor& entry, std::span<const DockerArchiveImage> docker,
               const DaemonClient::OnPullEvent& on_event) {
    Index index;
    index.media_type = kOciIndexType;
    index.manifests = {entry};
    VARVE_RETURN_IF_ERROR(StartArchive(output_, index, docker));
    for (const ImageTree::Document& document : source.image().manifests)
      VARVE_RETURN_IF_ERROR(output_.AddFile(LayoutBlobName(document.digest), document.bytes));
    VARVE_RETURN_IF_ERROR(ReadVerified(source, source.image().blobs, *this, on_event));
    VARVE_RETURN_IF_ERROR(output_.Finish());
    return file_.Publish();
  }

  Status Begin(const Descriptor& blob) override {
    return output_.StartFile(LayoutBlobName(blob.digest), blob.size_bytes);
  }
  Status Take(ByteSpan piece) override { return output_.Append(piece); }
  Status End() override { return Ok(); }

 private:
  TarOutput output_;
  OutputFile& file_;
};

// The entry of docker's manifest.json; the index's gets the whole name too, as where docker writes the archive.
Result<DockerArchiveImage> DockerEntry(const ImageTree& image, const std::string& name, Descriptor& entry) {
  if (image.manifests.size() > 1)
    return Error(Code::kInvalidArgument, "docker's archives hold images of one platform each");
  VARVE_ASSIGN_OR_RETURN(const Manifest manifest, ParseManifest(image.top().bytes, image.top().media_type));
  DockerArchiveImage docker;
  docker.config = LayoutBlobName(manifest.config.digest);
  for (const Descriptor& layer : manifest.layers) docker.layers.push_back(LayoutBlobName(layer.digest));
  if (name.empty()) return docker;
  VARVE_ASSIGN_OR_RETURN(const Reference reference, Reference::Parse(name));
  if (reference.digest) return Error(Code::kInvalidArgument, name + ": a tag cannot be a digest");
  docker.repo_tags = {reference.Familiar()};
  entry.annotations = {{kImageNameAnnotation, reference.Canonical()}, {kRefNameAnnotation, reference.tag}};
  return docker;
}

}  // namespace

Status CopyToFiles(CopySource& source, const ImageLocation& target, const DaemonClient::OnPullEvent& on_event) {
  if (target.place.empty()) return Error(Code::kInvalidArgument, "no file or directory is named");
  if (target.kind == Kind::kLayout) return Layout(target.place).Add(source, target.name, on_event);
  Descriptor entry = EntryOf(source.image(), target.name);
  std::vector<DockerArchiveImage> docker;
  if (target.kind == Kind::kDockerArchive) {
    VARVE_ASSIGN_OR_RETURN(docker.emplace_back(), DockerEntry(source.image(), target.name, entry));
  }
  VARVE_ASSIGN_OR_RETURN(OutputFile file, OutputFile::Open(target.place));
  VARVE_ASSIGN_OR_RETURN(TarOutput output, TarOutput::Create(file.fd()));
  return Archive(std::move(output), file).Write(source, entry, docker, on_event);
}

}  // namespace varve
