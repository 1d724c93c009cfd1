#include "cached/distribution/registry_host.h"

#include <fmt/core.h>

#include <algorithm>

#include "cached/content/sha256.h"
#include "cached/oci/media_types.h"
#include "cached/oci/reference.h"

namespace varve {
namespace {

constexpr std::size_t kManifestsAtOnce = 1000;
constexpr std::size_t kShownBytesMax = 200;

Error NoBlob(const Digest& digest, const std::string& repository) {
  return {Code::kNotFound, fmt::format("{} has no blob {}", repository, digest.ToString())};
}

Error NoManifest(const std::string& repository, std::string_view reference) {
  return {Code::kNotFound, fmt::format("{} has no manifest {}", repository, reference)};
}

// What names a manifest in a path: an algorithm has a colon, a tag has none.
bool IsDigestText(std::string_view reference) { return reference.find(':') != std::string_view::npos; }

Status CheckTag(std::string_view tag) {
  if (IsTag(tag)) return Ok();
  return Error(Code::kInvalidArgument, fmt::format("\"{}\" is not a tag", tag.substr(0, kShownBytesMax)));
}

Status CheckAnnotations(const References& references) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : references.annotations) bytes += name.size() + value.size();
  if (!references.subject || bytes <= kReferrerAnnotationBytesMax) return Ok();
  return Error(Code::kInvalidArgument,
               fmt::format("manifest: {} bytes of annotations, at most {} allowed where there is a subject", bytes,
                           kReferrerAnnotationBytesMax));
}

store::RepositoryManifest RecordOf(const References& references) {
  store::RepositoryManifest record;
  record.set_media_type(references.media_type);
  record.set_artifact_type(references.artifact_type);
  if (references.subject) record.set_subject(std::string(KeyOf(*references.subject)));
  const auto add = [&](const Descriptor& descriptor) { record.add_references(std::string(KeyOf(descriptor.digest))); };
  if (references.config) add(*references.config);
  for (const Descriptor& layer : references.layers) add(layer);
  for (const Descriptor& manifest : references.manifests) add(manifest);
  if (!references.subject) return record;  // no list shows them
  for (const auto& [name, value] : references.annotations) {
    auto& annotation = *record.add_annotations();
    annotation.set_name(name);
    annotation.set_value(value);
  }
  return record;
}

Result<Bytes> ReadDocument(const File& file, std::uint64_t size_bytes, const Digest& digest) {
  Bytes bytes(size_bytes);
  VARVE_ASSIGN_OR_RETURN(const std::size_t read, file.ReadAt(0, bytes));
  if (read != size_bytes || Sha256Of(bytes) != digest)
    return Error(Code::kDataLoss, fmt::format("manifest {} is damaged on disk: run store verify", digest.ToString()));
  return bytes;
}

}  // namespace

Result<RegistryHost::Blob> RegistryHost::GetBlob(const std::string& repository, const Digest& digest, Asker asker) {
  VARVE_ASSIGN_OR_RETURN(const auto found, repositories_.FindBlob(repository, digest, asker));
  if (!found) return NoBlob(digest, repository);
  auto file = store_.blob_files().Open(digest);
  if (!file.ok() && file.error().code() == Code::kNotFound) return NoBlob(digest, repository);  // pruned meanwhile
  if (!file.ok()) return file.error();
  return Blob{*std::move(file), found->size_bytes()};
}

// The hold lasts until the blob is visible: nobody appends to a file that was renamed.
Status RegistryHost::PublishBlob(Uploads::Hold upload, const Digest& digest) {
  const std::uint64_t size_bytes = upload.size_bytes();
  VARVE_RETURN_IF_ERROR(upload.Seal(digest));
  const auto& [repository, id] = upload.name();
  Status added = repositories_.AddBlob(repository, id, digest, size_bytes, "");
  if (!added.ok() && added.error().code() == Code::kNotFound)  // given up, for its age
    return Error(Code::kNotFound, fmt::format("there is no upload {} in {}", id, repository));
  return added;
}

Status RegistryHost::MountBlob(const std::string& to, const Digest& digest, const std::string& from) {
  VARVE_ASSIGN_OR_RETURN(const bool mounted, repositories_.MountBlob(from, to, digest));
  if (!mounted) return NoBlob(digest, from);
  return Ok();
}

// What breaks the grammar names nothing that is here.
Result<Digest> RegistryHost::Resolve(const std::string& repository, std::string_view reference) {
  if (IsDigestText(reference)) {
    auto digest = Digest::Parse(reference);
    return digest.ok() ? digest : NoManifest(repository, reference.substr(0, kShownBytesMax));
  }
  if (!IsTag(reference)) return NoManifest(repository, reference.substr(0, kShownBytesMax));
  VARVE_ASSIGN_OR_RETURN(const std::optional<Digest> found, repositories_.FindTag(repository, reference));
  if (!found) return NoManifest(repository, reference);
  return *found;
}

Result<RegistryHost::StoredManifest> RegistryHost::GetManifest(const std::string& repository,
                                                               std::string_view reference) {
  VARVE_ASSIGN_OR_RETURN(const Digest digest, Resolve(repository, reference));
  VARVE_ASSIGN_OR_RETURN(const auto record, repositories_.FindManifest(repository, digest));
  if (!record) return NoManifest(repository, reference);
  std::shared_ptr<const Bytes> bytes = documents_.Find(digest);
  if (bytes == nullptr) {
    const auto file = store_.blob_files().Open(digest);
    if (!file.ok() && file.error().code() == Code::kNotFound) return NoManifest(repository, reference);
    if (!file.ok()) return file.error();
    VARVE_ASSIGN_OR_RETURN(Bytes read, ReadDocument(**file, record->size_bytes(), digest));
    bytes = std::make_shared<const Bytes>(std::move(read));
    documents_.Add(digest, bytes);
  }
  return StoredManifest{digest, record->media_type(), std::move(bytes)};
}

// Layers that only their publisher may give away are in no registry. What an index names may be a manifest or, in
// BuildKit's caches, a blob.
Result<std::vector<Digest>> RegistryHost::BlobsOf(const std::string& repository, const References& references) {
  std::vector<Digest> blobs;
  const auto check = [&](const Descriptor& named, bool may_be_manifest) -> Status {
    if (IsForeignLayer(named.media_type)) return Ok();
    if (may_be_manifest) {
      VARVE_ASSIGN_OR_RETURN(const auto manifest, repositories_.FindManifest(repository, named.digest));
      if (manifest) return Ok();
    }
    VARVE_ASSIGN_OR_RETURN(const auto found, repositories_.FindBlob(repository, named.digest, Asker::kReader));
    if (!found) return Error(Code::kFailedPrecondition, named.digest.ToString() + " is not in " + repository);
    if (found->size_bytes() != named.size_bytes) {
      return Error(Code::kInvalidArgument, fmt::format("{} has {} bytes, the manifest says {}", named.digest.ToString(),
                                                       found->size_bytes(), named.size_bytes));
    }
    blobs.push_back(named.digest);
    return Ok();
  };
  if (references.config) VARVE_RETURN_IF_ERROR(check(*references.config, false));
  for (const Descriptor& layer : references.layers) VARVE_RETURN_IF_ERROR(check(layer, false));
  for (const Descriptor& manifest : references.manifests) VARVE_RETURN_IF_ERROR(check(manifest, true));
  return blobs;
}

Result<RegistryHost::PutOutcome> RegistryHost::PutManifest(const std::string& repository, std::string_view reference,
                                                           const std::vector<std::string>& more_tags,
                                                           std::string_view content_type, ByteSpan bytes) {
  const Digest digest = Sha256Of(bytes);
  std::vector<std::string> tags = more_tags;
  if (IsDigestText(reference)) {
    VARVE_ASSIGN_OR_RETURN(const Digest named, Digest::Parse(reference));
    if (named != digest)
      return Error(Code::kOutOfRange,
                   fmt::format("the manifest has the digest {}, not {}", digest.ToString(), reference));
  } else {
    tags.emplace_back(reference);
  }
  for (const std::string& tag : tags) VARVE_RETURN_IF_ERROR(CheckTag(tag));
  auto references = ParseReferences(bytes, content_type, options_.manifest_bytes_max);
  if (!references.ok()) return Error(Code::kInvalidArgument, references.error().message());  // beyond a limit, too
  VARVE_RETURN_IF_ERROR(CheckAnnotations(*references));
  VARVE_ASSIGN_OR_RETURN(std::vector<Digest> blobs, BlobsOf(repository, *references));
  const Status put = repositories_.PutManifest(repository, {.digest = digest,
                                                            .bytes = bytes,
                                                            .record = RecordOf(*references),
                                                            .blobs = std::move(blobs),
                                                            .tags = std::move(tags)});
  if (!put.ok() && put.error().code() == Code::kNotFound)  // deleted since we looked
    return Error(Code::kFailedPrecondition, put.error().message());
  if (!put.ok()) return put.error();
  documents_.Add(digest, std::make_shared<const Bytes>(bytes.begin(), bytes.end()));
  on_manifest_(repository, digest);
  return PutOutcome{digest, references->subject};
}

Status RegistryHost::DeleteManifest(const std::string& repository, std::string_view reference) {
  VARVE_ASSIGN_OR_RETURN(const Digest digest, Resolve(repository, reference));
  return IsDigestText(reference) ? repositories_.DeleteManifest(repository, digest)
                                 : repositories_.DeleteTag(repository, reference);
}

Result<std::vector<std::string>> RegistryHost::ListTags(const std::string& repository, std::string_view after,
                                                        std::size_t most) {
  VARVE_ASSIGN_OR_RETURN(const bool exists, repositories_.Exists(repository));
  if (!exists) return Error(Code::kNotFound, "there is no repository " + repository);
  return repositories_.ListTags(repository, after, most);
}

Status RegistryHost::EachManifest(
    const std::function<Status(const std::string& repository, const Digest& manifest)>& visit) {
  std::string repository;
  for (;;) {
    VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> next, repositories_.ListRepositories(repository, 1));
    if (next.empty()) return Ok();
    repository = next.front();
    std::optional<Digest> after;
    for (;;) {
      VARVE_ASSIGN_OR_RETURN(const std::vector<Digest> manifests,
                             repositories_.ListManifests(repository, after, kManifestsAtOnce));
      if (manifests.empty()) break;
      for (const Digest& manifest : manifests) VARVE_RETURN_IF_ERROR(visit(repository, manifest));
      after = manifests.back();
    }
  }
}

// Filtered here: a page is filled from as many of the store's as it takes.
Result<std::vector<Repositories::Referrer>> RegistryHost::ListReferrers(const std::string& repository,
                                                                        const Digest& digest,
                                                                        std::string_view artifact_type,
                                                                        std::optional<Digest> after, std::size_t most) {
  std::vector<Repositories::Referrer> found;
  while (found.size() < most) {
    VARVE_ASSIGN_OR_RETURN(std::vector<Repositories::Referrer> page,
                           repositories_.ListReferrers(repository, digest, after, most));
    if (page.empty()) break;
    after = page.back().first;
    for (Repositories::Referrer& referrer : page) {
      if (found.size() < most && (artifact_type.empty() || referrer.second.artifact_type() == artifact_type))
        found.push_back(std::move(referrer));
    }
  }
  return found;
}

}  // namespace varve
