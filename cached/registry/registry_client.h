#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cached/oci/descriptor.h"
#include "cached/oci/reference.h"
#include "cached/registry/authenticator.h"
#include "cached/registry/http_transport.h"
#include "cached/registry/retry.h"

namespace varve {

enum class RepositoryAccess { kPull, kPush };

struct RegistryOptions {
  Credentials credentials;
  ConnectionOptions connection;
  RetryPolicy retry;
  RepositoryAccess access = RepositoryAccess::kPull;  // what tokens are asked for
};

struct FetchedManifest {
  Bytes bytes;  // verbatim
  std::string media_type;
  Digest digest;  // of `bytes`, computed here
};

// A blob to be sent.
struct BlobUpload {
  // Starts its bytes anew, the same each time: where the registry has less of them than were sent.
  std::function<HttpBodySource()> open;
  std::optional<Digest> expected;  // nothing: whatever they are
  std::function<void(std::uint64_t sent_bytes)> progress;
};

struct UploadedBlob {
  Digest digest;  // computed here
  std::uint64_t size_bytes = 0;
};

// Reads and writes one repository of a registry (OCI distribution-spec). Thread-safe: layers are transferred in
// parallel.
// Every error names the manifest or blob: kNotFound, kUnauthenticated, kPermissionDenied, kUnavailable when all
// attempts failed, kFailedPrecondition for TLS, kDataLoss for content that is not what was asked for, kCancelled.
class RegistryClient {
 public:
  // Finds out how the registry of `repository` is spoken to: https; http first for loopback hosts; https without
  // checks, then http, when TLS verification is skipped. `transport` must outlive the client.
  static Result<std::unique_ptr<RegistryClient>> Create(HttpTransport& transport, const Reference& repository,
                                                        RegistryOptions options, const CancelToken& cancel);

  // A manifest or an index of at most kManifestBytesMax. Its SHA-256 is checked against the digest asked for and the
  // one sent.
  Result<FetchedManifest> GetManifest(const std::string& tag, const CancelToken& cancel);
  Result<FetchedManifest> GetManifest(const Digest& digest, const CancelToken& cancel);

  // The repository's tags in the registry's order, page by page; kResourceExhausted beyond kTagsMax.
  static constexpr std::size_t kTagsMax = 1'000'000;
  Result<std::vector<std::string>> ListTags(const CancelToken& cancel);

  // Hands the blob to `sink` piece by piece, each byte once and never more than size_bytes of them, resuming where a
  // transfer broke. Does NOT verify the digest: whoever reads the stream hashes it. An error of `sink` ends the
  // transfer and is returned as it is.
  using BlobSink = std::function<Status(ByteSpan)>;
  Status FetchBlob(const Descriptor& blob, const BlobSink& sink, const CancelToken& cancel);

  // Whether the repository has the blob.
  Result<bool> HasBlob(const Digest& blob, const CancelToken& cancel);
  // Lets the repository have a blob of another one of this registry ("team/app"), without sending it. False where the
  // registry does not: it is not there, or the caller may not read it.
  Result<bool> MountBlob(const Digest& blob, const std::string& from, const CancelToken& cancel);
  // Sends a blob and hashes it meanwhile; goes on where a transfer broke. kDataLoss, with nothing kept there, if it is
  // not the one expected. An error of the source ends the upload and is returned as it is.
  Result<UploadedBlob> UploadBlob(const BlobUpload& upload, const CancelToken& cancel);
  // Stores a manifest under a tag, or under its digest.
  Status PutManifest(const std::string& tag_or_digest, ByteSpan manifest, const std::string& media_type,
                     const CancelToken& cancel);

 private:
  struct Answer {
    HttpAnswer head;
    Bytes error_body;  // of a response that is no success
  };

  RegistryClient(HttpTransport& transport, const Reference& repository, RegistryOptions options, std::string base_url);

  Result<FetchedManifest> Fetch(const std::string& tag_or_digest, const std::string& name, const CancelToken& cancel);
  // Sends with authorization, and once more with a new one if that was refused; kUnavailable if the body cannot be sent
  // once more. The request's url is a path below the repository, or whole: then the authorization stays with the
  // registry's own host. `sink` gets only the bodies of successes.
  Result<Answer> Send(HttpCall request, const HttpTransport::BodySink& sink, const CancelToken& cancel);
  // Sends until the answer is not one that may pass; its body is dropped.
  Result<Answer> SendPatiently(const std::string& name, const HttpCall& request, const CancelToken& cancel);
  // After an attempt that ended in `answer` and so in `error`: OK when another one may be made.
  static Status WaitToRetry(Retry& retry, const Result<Answer>& answer, const Error& error, const CancelToken& cancel);
  class UploadStream;
  struct UploadSession;
  Result<Answer> TryUpload(UploadStream& stream, UploadSession& session, const CancelToken& cancel);
  Status Follow(const HttpAnswer& head, UploadSession& session) const;
  void Resume(UploadSession& session, const CancelToken& cancel);
  void Abandon(const UploadSession& session, const CancelToken& cancel);
  // What a response that is no success means.
  Error Refused(const Answer& answer) const;

  HttpTransport& transport_;
  const std::string domain_;
  const std::string repository_;  // "docker.io/library/debian"
  const std::string path_;        // "/v2/library/debian/"
  const std::string base_url_;    // "https://registry-1.docker.io"
  const RegistryOptions options_;
  Authenticator authenticator_;
};

}  // namespace varve
