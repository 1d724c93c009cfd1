// Sending blobs to a registry: HEAD, mount, and an upload that survives what networks do.
//
// An upload is POST (a session), PATCH (all bytes in one stream), PUT (its digest). That is what docker sends, so every
// registry takes it; uploads in chunks, which the OCI distribution-spec has beside it, several do not. The stream needs
// no length, so a layer can be compressed while it is sent, and is hashed on its way: the digest is known when PUT
// needs it. Where a stream breaks, the session says how much has arrived, and the next PATCH goes on there: the source
// starts anew and what has arrived is skipped. A session that is gone, or cannot say, is replaced by a new one.

#include <fmt/core.h>

#include <charconv>
#include <utility>

#include "cached/content/sha256.h"
#include "cached/registry/answers.h"
#include "cached/registry/registry_client.h"

namespace varve {
namespace {

// An attempt that brought so much does not count as a failed one.
constexpr std::uint64_t kProgressBytes = 1 << 20;
constexpr std::size_t kSkipBytes = 256 << 10;

// How much a session has: "0-1023" is 1024 bytes. Nothing for what does not say: some answer "0-0" for no byte at all.
std::optional<std::uint64_t> ArrivedBytes(std::string_view range) {
  if (range.starts_with("bytes=")) range.remove_prefix(6);
  if (!range.starts_with("0-")) return std::nullopt;
  range.remove_prefix(2);
  std::uint64_t last = 0;
  const auto [end, error] = std::from_chars(range.data(), range.data() + range.size(), last);
  if (error != std::errc() || end != range.data() + range.size() || last == 0) return std::nullopt;
  return last + 1;
}

Status DropBody(const HttpAnswer&, ByteSpan) { return Ok(); }

}  // namespace

// The bytes of one attempt after another, hashed from the first one on each time.
class RegistryClient::UploadStream {
 public:
  explicit UploadStream(const BlobUpload& upload) : upload_(upload) {}

  // The next byte to be read is that one.
  Status SeekTo(std::uint64_t offset) {
    if (!source_ || position_ > offset) {
      source_ = upload_.open();
      static_cast<void>(sha256_.Finish());
      position_ = 0;
      digest_.reset();
    }
    for (Bytes skipped(std::min<std::uint64_t>(kSkipBytes, offset - position_)); position_ < offset;) {
      const std::size_t room = std::min<std::uint64_t>(skipped.size(), offset - position_);
      VARVE_ASSIGN_OR_RETURN(const std::size_t size, Read(std::span(skipped).first(room)));
      if (size == 0) return status_ = Error(Code::kInternal, "a blob became shorter when it was read again");
    }
    return Ok();
  }

  Result<std::size_t> Read(std::span<std::byte> into) {
    auto size = source_(into);
    if (!size.ok()) {
      status_ = size.error();
      return size;
    }
    sha256_.Update(into.first(*size));
    position_ += *size;
    if (*size == 0 && !digest_) digest_ = sha256_.Finish();
    if (*size != 0 && upload_.progress) upload_.progress(position_);
    return size;
  }

  std::uint64_t position() const { return position_; }
  // Of all bytes, once they have been read.
  const std::optional<Digest>& digest() const { return digest_; }
  // What ends the upload for good: an error of the source, or another blob than expected.
  const Status& status() const { return status_; }
  Result<Digest> VerifiedDigest() {
    if (!digest_ || (upload_.expected && *upload_.expected != *digest_)) {
      status_ = Error(Code::kDataLoss, fmt::format("blob {}: digest mismatch (got {})",
                                                   upload_.expected ? upload_.expected->ToString() : "",
                                                   digest_ ? digest_->ToString() : "less than all of it"));
      return status_.error();
    }
    return *digest_;
  }

 private:
  const BlobUpload& upload_;
  HttpBodySource source_;
  Sha256 sha256_;
  std::uint64_t position_ = 0;
  std::optional<Digest> digest_;
  Status status_;
};

struct RegistryClient::UploadSession {
  std::string url;                  // empty: none is open
  std::uint64_t arrived_bytes = 0;  // so much the registry has
};

Result<RegistryClient::Answer> RegistryClient::SendPatiently(const std::string& name, const HttpCall& request,
                                                             const CancelToken& cancel) {
  for (Retry retry(options_.retry);;) {
    auto answer = Send(request, DropBody, cancel);
    if (answer.ok() && (answer->head.succeeded() || Refused(*answer).code() != Code::kUnavailable)) return answer;
    const Error error = answer.ok() ? Refused(*answer) : answer.error();
    VARVE_RETURN_IF_ERROR(WaitToRetry(retry, answer, error.In(name), cancel));
  }
}

Result<bool> RegistryClient::HasBlob(const Digest& blob, const CancelToken& cancel) {
  const std::string name = fmt::format("blob {} of {}", blob.ToString(), repository_);
  VARVE_ASSIGN_OR_RETURN(const Answer answer,
                         SendPatiently(name, {.method = HttpVerb::kHead, .url = "blobs/" + blob.ToString()}, cancel));
  if (answer.head.succeeded()) return true;
  if (answer.head.status == 404) return false;
  return Refused(answer).In(name);
}

Result<bool> RegistryClient::MountBlob(const Digest& blob, const std::string& from, const CancelToken& cancel) {
  const std::string name = fmt::format("blob {} of {}", blob.ToString(), repository_);
  VARVE_ASSIGN_OR_RETURN(const Answer answer,
                         SendPatiently(name,
                                       {.method = HttpVerb::kPost,
                                        .url = fmt::format("blobs/uploads/?mount={}&from={}", blob.ToString(), from)},
                                       cancel));
  if (answer.head.status == 201) return true;
  UploadSession session;
  if (answer.head.succeeded() && Follow(answer.head, session).ok()) Abandon(session, cancel);
  return false;
}

Result<UploadedBlob> RegistryClient::UploadBlob(const BlobUpload& upload, const CancelToken& cancel) {
  const std::string name =
      fmt::format("{} to {}", upload.expected ? "blob " + upload.expected->ToString() : "a new blob", repository_);
  UploadStream stream(upload);
  UploadSession session;
  for (Retry retry(options_.retry);;) {
    const std::uint64_t before = session.arrived_bytes;
    const auto answer = TryUpload(stream, session, cancel);
    const std::optional<Digest> whole = stream.digest();
    if (answer.ok() && answer->head.succeeded() && whole) return UploadedBlob{*whole, stream.position()};
    if (!stream.status().ok()) {
      Abandon(session, cancel);
      return stream.status().error();
    }
    Error error = answer.ok() ? Refused(*answer) : answer.error();
    const bool lost = answer.ok() && !session.url.empty() && (answer->head.status == 404 || answer->head.status == 416);
    if (lost) error = Error(Code::kUnavailable, "the registry lost the upload: " + error.message());
    VARVE_RETURN_IF_ERROR(WaitToRetry(retry, answer, error.In(name), cancel));
    if (whole) {  // the answer to PUT may be all that was lost
      VARVE_ASSIGN_OR_RETURN(const bool there, HasBlob(*whole, cancel));
      if (there) return UploadedBlob{*whole, stream.position()};
    }
    Resume(session, cancel);
    if (session.arrived_bytes >= before + kProgressBytes) retry.Progress();
  }
}

Result<RegistryClient::Answer> RegistryClient::TryUpload(UploadStream& stream, UploadSession& session,
                                                         const CancelToken& cancel) {
  if (session.url.empty()) {
    VARVE_ASSIGN_OR_RETURN(Answer started,
                           Send({.method = HttpVerb::kPost, .url = "blobs/uploads/"}, DropBody, cancel));
    if (!started.head.succeeded()) return started;
    VARVE_RETURN_IF_ERROR(Follow(started.head, session));
  }
  VARVE_RETURN_IF_ERROR(stream.SeekTo(session.arrived_bytes));
  VARVE_ASSIGN_OR_RETURN(Answer patched,
                         Send({.method = HttpVerb::kPatch,
                               .url = session.url,
                               .headers = {"Content-Type: application/octet-stream"},
                               .body_source = [&](std::span<std::byte> into) { return stream.Read(into); }},
                              DropBody, cancel));
  if (!patched.head.succeeded()) return patched;
  VARVE_RETURN_IF_ERROR(Follow(patched.head, session));
  const auto arrived = ArrivedBytes(patched.head.Header("range"));
  if (arrived && *arrived != stream.position())
    return Error(Code::kUnavailable,
                 fmt::format("{} of {} bytes have arrived at the registry", *arrived, stream.position()));
  VARVE_ASSIGN_OR_RETURN(const Digest digest, stream.VerifiedDigest());
  const char joint = session.url.find('?') == std::string::npos ? '?' : '&';
  return Send({.method = HttpVerb::kPut, .url = fmt::format("{}{}digest={}", session.url, joint, digest.ToString())},
              DropBody, cancel);
}

// Where the upload goes on: by path, or by URL, here or elsewhere. One of our own host keeps the way in which it was
// spoken to: a registry behind a proxy often does not know that.
Status RegistryClient::Follow(const HttpAnswer& head, UploadSession& session) const {
  const std::string location(head.Header("location"));
  const std::string host = base_url_.substr(base_url_.find("://") + 3);
  if (location.empty() && !session.url.empty()) return Ok();
  if (location.starts_with('/') && !location.starts_with("//")) {
    session.url = base_url_ + location;
    return Ok();
  }
  const bool plain = location.starts_with("http://");
  if (plain || location.starts_with("https://")) {
    const std::string rest = location.substr(location.find("://") + 3);
    const bool own_host = rest.starts_with(host + "/");
    if (own_host || !plain || base_url_.starts_with("http://")) {
      session.url = own_host ? base_url_ + rest.substr(host.size()) : location;
      return Ok();
    }
  }
  return Error(Code::kFailedPrecondition,
               fmt::format("registry {} sends the upload to \"{}\", which cannot be followed", domain_,
                           location.substr(0, location.find('?')).substr(0, 200)));
}

void RegistryClient::Resume(UploadSession& session, const CancelToken& cancel) {
  if (session.url.empty()) return;
  const auto answer = Send({.url = session.url}, DropBody, cancel);
  const auto arrived =
      answer.ok() && answer->head.succeeded() ? ArrivedBytes(answer->head.Header("range")) : std::nullopt;
  if (arrived && Follow(answer->head, session).ok()) {
    session.arrived_bytes = *arrived;
    return;
  }
  session = {};
}

void RegistryClient::Abandon(const UploadSession& session, const CancelToken& cancel) {
  if (session.url.empty()) return;
  Send({.method = HttpVerb::kDelete, .url = session.url}, DropBody, cancel)
      .IgnoreError("registries drop what is not finished by themselves, later");
}

Status RegistryClient::PutManifest(const std::string& tag_or_digest, ByteSpan manifest, const std::string& media_type,
                                   const CancelToken& cancel) {
  const std::string name = fmt::format("manifest {}{}{}", repository_,
                                       tag_or_digest.find(':') == std::string::npos ? ':' : '@', tag_or_digest);
  VARVE_ASSIGN_OR_RETURN(const Answer answer, SendPatiently(name,
                                                            {.method = HttpVerb::kPut,
                                                             .url = "manifests/" + tag_or_digest,
                                                             .headers = {"Content-Type: " + media_type},
                                                             .body = std::string(AsText(manifest))},
                                                            cancel));
  if (!answer.head.succeeded()) return Refused(answer).In(name);
  const std::string_view called = answer.head.Header("docker-content-digest");
  const std::string digest = Sha256Of(manifest).ToString();
  if (called.starts_with("sha256:") && called != digest)
    return Error(Code::kDataLoss,
                 fmt::format("{}: digest mismatch: the registry calls it {}, it is {}", name, called, digest));
  return Ok();
}

}  // namespace varve
