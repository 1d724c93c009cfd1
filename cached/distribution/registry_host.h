#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cached/distribution/document_cache.h"
#include "cached/distribution/uploads.h"
#include "cached/oci/manifest.h"
#include "cached/oci/references.h"
#include "cached/store/repositories.h"

namespace varve {

// Annotations of a manifest that is about another one: each list of referrers holds them.
inline constexpr std::size_t kReferrerAnnotationBytesMax = 64 << 10;

struct RegistryHostOptions {
  std::size_t manifest_bytes_max = kManifestBytesMax;
  std::uint64_t blob_bytes_max = kBlobBytesMax;
};

// What a registry does (OCI distribution-spec 1.1), without HTTP: repositories with blobs that come as uploads,
// manifests that are kept byte by byte, tags and referrers. Names are those of the paths, without a host. What is not
// in a repository is not found there, even if another one has it. What a call acknowledged is durable. Thread-safe.
//
// Errors, beside those of the disk: kInvalidArgument for what breaks the grammar; kNotFound; kOutOfRange where the
// bytes have another digest than they were given; kFailedPrecondition where a manifest names what the repository does
// not have.
class RegistryHost {
 public:
  // Told of every manifest that was put, after it is durable.
  using ManifestSink = std::function<void(const std::string& repository, const Digest& manifest)>;

  // Both must outlive it.
  RegistryHost(Store& store, Clock& clock, const RegistryHostOptions& options, ManifestSink on_manifest)
      : options_(options),
        store_(store),
        on_manifest_(std::move(on_manifest)),
        repositories_(store, clock),
        uploads_(store.blob_files(), clock) {}

  const RegistryHostOptions& options() const { return options_; }
  Uploads& uploads() { return uploads_; }

  struct Blob {
    std::shared_ptr<const File> file;
    std::uint64_t size_bytes = 0;
  };
  // A pusher who is told of a blob does not bring it.
  using Asker = Repositories::Asker;
  Result<Blob> GetBlob(const std::string& repository, const Digest& digest, Asker asker);
  // Makes what `upload` brought a blob of its repository.
  Status PublishBlob(Uploads::Hold upload, const Digest& digest);
  // Makes a blob of `from` one of `to` as well. kNotFound if it is none.
  Status MountBlob(const std::string& to, const Digest& digest, const std::string& from);
  Status DeleteBlob(const std::string& repository, const Digest& digest) {
    return repositories_.UnlinkBlob(repository, digest);
  }

  // `reference` is a tag or a digest.
  struct StoredManifest {
    Digest digest;
    std::string media_type;
    std::shared_ptr<const Bytes> bytes;
  };
  Result<StoredManifest> GetManifest(const std::string& repository, std::string_view reference);

  struct PutOutcome {
    Digest digest;
    std::optional<Digest> subject;
  };
  // Under `reference`, and under `more_tags` as well. kOutOfRange if `reference` is a digest and not that of `bytes`;
  // kFailedPrecondition names the first blob or manifest that is missing.
  Result<PutOutcome> PutManifest(const std::string& repository, std::string_view reference,
                                 const std::vector<std::string>& more_tags, std::string_view content_type,
                                 ByteSpan bytes);
  // A tag: that name alone. A digest: the manifest, with all its tags.
  Status DeleteManifest(const std::string& repository, std::string_view reference);

  // At most `most` names after `after`, in ASCII order. kNotFound if there is no such repository.
  Result<std::vector<std::string>> ListTags(const std::string& repository, std::string_view after, std::size_t most);
  Result<std::vector<std::string>> ListRepositories(std::string_view after, std::size_t most) {
    return repositories_.ListRepositories(after, most);
  }
  // The manifests whose subject is `digest`, of `artifact_type` unless that is empty; those after the manifest `after`,
  // at most `most`.
  Result<std::vector<Repositories::Referrer>> ListReferrers(const std::string& repository, const Digest& digest,
                                                            std::string_view artifact_type, std::optional<Digest> after,
                                                            std::size_t most);
  // Of all repositories, as they are found: what is put meanwhile may be missed.
  Status EachManifest(const std::function<Status(const std::string& repository, const Digest& manifest)>& visit);

 private:
  Result<Digest> Resolve(const std::string& repository, std::string_view reference);
  // Those of the blobs that it names which must be there: kFailedPrecondition names the first that is not.
  Result<std::vector<Digest>> BlobsOf(const std::string& repository, const References& references);

  const RegistryHostOptions options_;
  Store& store_;
  const ManifestSink on_manifest_;
  Repositories repositories_;
  Uploads uploads_;
  DocumentCache documents_;
};

}  // namespace varve
