#include "cached/registry/registry_client.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "cached/content/sha256.h"
#include "cached/oci/manifest.h"
#include "cached/oci/media_types.h"
#include "cached/registry/answers.h"
#include "cached/registry/greeting.h"

namespace varve {
namespace {

// A transfer that brought so much before it broke does not count as a failed attempt.
constexpr std::uint64_t kProgressBytes = 1 << 20;

std::optional<std::chrono::seconds> RetryAfter(std::string_view header) {
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(header.data(), header.data() + header.size(), seconds);
  if (error != std::errc() || end != header.data() + header.size()) return std::nullopt;
  return std::chrono::seconds(seconds);
}

// Where the body of a partial response starts: "bytes 100-199/200".
std::optional<std::uint64_t> RangeStart(std::string_view content_range) {
  constexpr std::string_view kUnit = "bytes ";
  if (!content_range.starts_with(kUnit)) return std::nullopt;
  content_range.remove_prefix(kUnit.size());
  std::uint64_t start = 0;
  const auto [end, error] = std::from_chars(content_range.data(), content_range.data() + content_range.size(), start);
  if (error != std::errc()) return std::nullopt;
  return start;
}

// The registry's blob is shorter than it should be, and no transfer that broke: nothing was left to ask for, or an
// answer of known length came whole. podman and skopeo do not try again then; of what broke, docker alone does.
bool HasNoMore(const HttpAnswer& response) {
  return response.status == 416 || (response.status == 200 && !response.Header("content-length").empty());
}

// Joins the bodies of several attempts into one stream of exactly the blob's size.
class BlobStream {
 public:
  // `name` is the blob's, for errors; those of `sink` pass as they are.
  BlobStream(const std::string& name, std::uint64_t size_bytes, const RegistryClient::BlobSink& sink)
      : name_(name), size_bytes_(size_bytes), sink_(sink) {}

  std::uint64_t delivered() const { return delivered_; }
  bool complete() const { return delivered_ == size_bytes_; }
  // What ended the stream for good; OK while another attempt may go on with it.
  const Status& status() const { return status_; }

  void StartAttempt() { position_.reset(); }
  Status Take(const HttpAnswer& head, ByteSpan piece) {
    status_ = Deliver(head, piece);
    return status_;
  }

 private:
  Status Deliver(const HttpAnswer& head, ByteSpan piece) {
    if (!position_) position_ = head.status == 206 ? RangeStart(head.Header("content-range")) : 0;
    if (!position_ || *position_ > delivered_) {
      return Error(Code::kDataLoss, name_ + ": the registry sent another range than asked");
    }
    const std::uint64_t known = std::min<std::uint64_t>(delivered_ - *position_, piece.size());
    *position_ += piece.size();
    piece = piece.subspan(known);
    if (piece.size() > size_bytes_ - delivered_) {
      return Error(Code::kDataLoss, fmt::format("{}: the registry sent more than its {} bytes", name_, size_bytes_));
    }
    if (piece.empty()) return Ok();
    delivered_ += piece.size();
    return sink_(piece);
  }

  const std::string& name_;
  const std::uint64_t size_bytes_;
  const RegistryClient::BlobSink& sink_;
  std::uint64_t delivered_ = 0;
  std::optional<std::uint64_t> position_;  // in the blob, of the next byte of this attempt's body
  Status status_;
};

Status CheckManifestDigest(const FetchedManifest& manifest, std::string_view expected, std::string_view who) {
  if (!expected.starts_with("sha256:") || expected == manifest.digest.ToString()) return Ok();
  return Error(Code::kDataLoss,
               fmt::format("digest mismatch: {} {}, got {}", who, expected, manifest.digest.ToString()));
}

}  // namespace

RegistryClient::RegistryClient(HttpTransport& transport, const Reference& repository, RegistryOptions options,
                               std::string base_url)
    : transport_(transport),
      domain_(repository.domain),
      repository_(repository.Repository()),
      path_("/v2/" + repository.path + "/"),
      base_url_(std::move(base_url)),
      options_(std::move(options)),
      authenticator_(transport, options_.connection, options_.credentials,
                     base_url_.starts_with("https:") ? Encryption::kTls : Encryption::kNone,
                     fmt::format("repository:{}:{}", repository.path,
                                 options_.access == RepositoryAccess::kPush ? "pull,push" : "pull")) {}

Result<std::unique_ptr<RegistryClient>> RegistryClient::Create(HttpTransport& transport, const Reference& repository,
                                                               RegistryOptions options, const CancelToken& cancel) {
  const std::string name = "registry " + repository.domain;
  VARVE_ASSIGN_OR_RETURN(const Greeting greeting,
                         Greet(transport, repository.domain, options.connection, cancel).In(name));
  std::unique_ptr<RegistryClient> client(
      new RegistryClient(transport, repository, std::move(options), greeting.base_url));
  if (greeting.response.status == 401) {
    const Status renewed = client->authenticator_.Renew(greeting.response.Header("www-authenticate"), "", cancel);
    if (!renewed.ok() && renewed.error().code() == Code::kUnauthenticated) {
      const Answer refused{greeting.response, {}};
      return Error(Code::kUnauthenticated, fmt::format("{}: {}: {}", repository.Canonical(), renewed.error().message(),
                                                       client->Refused(refused).message()));
    }
    renewed.IgnoreError("the first request asks again, with retries");
  }
  return client;
}

Result<FetchedManifest> RegistryClient::GetManifest(const std::string& tag, const CancelToken& cancel) {
  return Fetch(tag, fmt::format("manifest {}:{}", repository_, tag), cancel);
}

Result<FetchedManifest> RegistryClient::GetManifest(const Digest& digest, const CancelToken& cancel) {
  const std::string name = fmt::format("manifest {}@{}", repository_, digest.ToString());
  VARVE_ASSIGN_OR_RETURN(FetchedManifest manifest, Fetch(digest.ToString(), name, cancel));
  VARVE_RETURN_IF_ERROR(CheckManifestDigest(manifest, digest.ToString(), "asked for").In(name));
  return manifest;
}

Result<FetchedManifest> RegistryClient::Fetch(const std::string& tag_or_digest, const std::string& name,
                                              const CancelToken& cancel) {
  const std::string accept =
      fmt::format("Accept: {}, {}, {}, {}", kOciIndexType, kOciManifestType, kDockerIndexType, kDockerManifestType);
  for (Retry retry(options_.retry);;) {
    FetchedManifest manifest;
    const auto answer = Send({.url = "manifests/" + tag_or_digest, .headers = {accept}},
                             CollectInto(manifest.bytes, kManifestBytesMax), cancel);
    if (answer.ok() && answer->head.succeeded()) {
      manifest.media_type = BareMediaType(answer->head.Header("content-type"));
      manifest.digest = Sha256Of(manifest.bytes);
      VARVE_RETURN_IF_ERROR(
          CheckManifestDigest(manifest, answer->head.Header("docker-content-digest"), "the registry calls it")
              .In(name));
      return manifest;
    }
    const Error error = answer.ok() ? Refused(*answer) : answer.error();
    VARVE_RETURN_IF_ERROR(WaitToRetry(retry, answer, error.In(name), cancel));
  }
}

Status RegistryClient::FetchBlob(const Descriptor& blob, const BlobSink& sink, const CancelToken& cancel) {
  const std::string name = fmt::format("blob {} of {}", blob.digest.ToString(), repository_);
  BlobStream stream(name, blob.size_bytes, sink);
  const auto take = [&](const HttpAnswer& head, ByteSpan piece) { return stream.Take(head, piece); };
  for (Retry retry(options_.retry); !stream.complete();) {
    const std::uint64_t before = stream.delivered();
    std::vector<std::string> headers;
    if (before > 0) headers.push_back(fmt::format("Range: bytes={}-", before));
    stream.StartAttempt();
    const auto answer = Send({.url = "blobs/" + blob.digest.ToString(), .headers = std::move(headers)}, take, cancel);
    if (!stream.status().ok()) return stream.status();
    if (stream.complete()) break;
    Error error = answer.ok() ? Refused(*answer) : answer.error();
    const bool no_more = answer.ok() && HasNoMore(answer->head);
    if (no_more || (answer.ok() && answer->head.succeeded())) {
      const std::string shorter = fmt::format("ended after {} of {} bytes", stream.delivered(), blob.size_bytes);
      error = Error(no_more ? Code::kDataLoss : Code::kUnavailable, shorter);
    }
    if (stream.delivered() - before >= kProgressBytes) retry.Progress();
    VARVE_RETURN_IF_ERROR(WaitToRetry(retry, answer, error.In(name), cancel));
  }
  return Ok();
}

Result<RegistryClient::Answer> RegistryClient::Send(HttpCall request, const HttpTransport::BodySink& sink,
                                                    const CancelToken& cancel) {
  if (request.url.find("://") == std::string::npos) request.url = base_url_ + path_ + request.url;
  const bool own_host = request.url.starts_with(base_url_ + "/");
  request.headers.emplace_back(kUserAgent);
  const std::size_t headers = request.headers.size();
  for (bool renewed = false;; renewed = true) {
    const std::string authorization = own_host ? authenticator_.Authorization() : "";
    request.headers.resize(headers);
    if (!authorization.empty()) request.headers.push_back("Authorization: " + authorization);
    Answer answer;
    const auto collect_error = CollectInto(answer.error_body, kAnswerBytesMax);
    const auto split = [&](const HttpAnswer& head, ByteSpan piece) {
      return head.succeeded() ? sink(head, piece) : collect_error(head, piece);
    };
    VARVE_ASSIGN_OR_RETURN(answer.head, transport_.Send(request, options_.connection, split, cancel));
    if (answer.head.status != 401 || renewed || !own_host) return answer;
    const Status renewal = authenticator_.Renew(answer.head.Header("www-authenticate"), authorization, cancel);
    if (renewal.ok() && request.body_source)
      return Error(Code::kUnavailable, "registry " + domain_ + " wanted another authorization for the body");
    if (renewal.ok()) continue;
    if (renewal.error().code() == Code::kUnauthenticated) return answer;
    return renewal.error();
  }
}

Status RegistryClient::WaitToRetry(Retry& retry, const Result<Answer>& answer, const Error& error,
                                   const CancelToken& cancel) {
  if (error.code() != Code::kUnavailable) return error;
  return retry.Wait(error, answer.ok() ? RetryAfter(answer->head.Header("retry-after")) : std::nullopt, cancel);
}

Error RegistryClient::Refused(const Answer& answer) const {
  const int status = answer.head.status;
  const std::string said = ParseErrorAnswer(answer.error_body);
  const std::string reason =
      said.empty() ? fmt::format("status {}", status) : fmt::format("status {}: {}", status, said);
  if (status == 404) return Error(Code::kNotFound, fmt::format("not found ({})", reason));
  if (status == 401) {
    const bool anonymous = options_.credentials.empty();
    return Error(Code::kUnauthenticated,
                 fmt::format("registry {} refused {} ({}); log in by varve login {}{}", domain_,
                             anonymous ? "access without credentials" : "the credentials", reason, domain_,
                             anonymous ? ", or the image does not exist" : ""));
  }
  if (status == 403) {
    return Error(Code::kPermissionDenied,
                 fmt::format("registry {} denied access ({}); log in by varve login {} as a user who may do this",
                             domain_, reason, domain_));
  }
  if (status == 429) {
    return Error(Code::kUnavailable, fmt::format("registry {} limits the rate of requests ({})", domain_, reason));
  }
  const bool may_pass = status == 408 || status >= 500;
  return Error(may_pass ? Code::kUnavailable : Code::kUnknown,
               fmt::format("registry {} answered with {}", domain_, reason));
}

}  // namespace varve
