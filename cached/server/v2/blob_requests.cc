#include "cached/server/v2/blob_requests.h"

#include <fmt/core.h>

#include <charconv>
#include <optional>
#include <utility>

#include "cached/http/range.h"
#include "cached/server/v2/failure.h"
#include "cached/server/v2/reply.h"

namespace varve::v2 {
namespace {

constexpr std::string_view kBlobType = "application/octet-stream";

// The inclusive range of what an upload has, as distribution writes it: "0-0" where there is nothing, too.
std::string RangeOf(std::uint64_t size_bytes) { return fmt::format("0-{}", size_bytes == 0 ? 0 : size_bytes - 1); }

HttpResponse UploadReply(int status, const Uploads::Name& name, std::uint64_t size_bytes) {
  HttpResponse response = EmptyReply(status, fmt::format("/v2/{}/blobs/uploads/{}", name.repository, name.id));
  response.fields.Set("Range", RangeOf(size_bytes));
  response.fields.Set("Docker-Upload-UUID", name.id);
  return response;
}

HttpResponse CreatedReply(const std::string& repository, const Digest& digest) {
  HttpResponse response = EmptyReply(201, fmt::format("/v2/{}/blobs/{}", repository, digest.ToString()));
  response.fields.Set("Docker-Content-Digest", digest.ToString());
  return response;
}

HttpResponse TooLarge(std::uint64_t most_bytes) {
  return ErrorReply(413, "SIZE_INVALID", fmt::format("a blob may have at most {} bytes here", most_bytes));
}

// "0-1023", or "bytes 0-1023/*" as some clients write it: where a piece begins and ends, inclusive.
std::optional<std::pair<std::uint64_t, std::uint64_t>> ParseContentRange(std::string_view text) {
  if (text.starts_with("bytes ")) text.remove_prefix(6);
  text = text.substr(0, text.find('/'));
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [dash, error] = std::from_chars(begin, end, first);
  if (error != std::errc() || dash == end || *dash != '-') return std::nullopt;
  const auto [rest, last_error] = std::from_chars(dash + 1, end, last);
  if (last_error != std::errc() || rest != end || last < first) return std::nullopt;
  return std::pair(first, last);
}

// How much more an upload may get; the limit may have been lowered since it began.
std::uint64_t RoomOf(const RegistryHost& registry, std::uint64_t size_bytes) {
  const std::uint64_t most = registry.options().blob_bytes_max;
  return most > size_bytes ? most - size_bytes : 0;
}

// What an upload is whose request ends in the middle: kept, for the client to go on with it; or gone, since no client
// knows its address.
enum class Unfinished { kKept, kCancelled };

// Takes the body of a request as a piece of an upload, or as its last one.
class PieceTaker final : public HttpBodyTaker {
 public:
  // `digest`: the upload ends with this piece.
  PieceTaker(RegistryHost& registry, const HttpRequest& request, Uploads::Hold upload, std::optional<Digest> digest,
             Unfinished unfinished)
      : registry_(registry), request_(request), upload_(std::move(upload)), digest_(digest), unfinished_(unfinished) {}
  ~PieceTaker() override {
    if (unfinished_ == Unfinished::kCancelled) upload_.Cancel().IgnoreError("it goes with its age, too");
  }

  std::optional<HttpResponse> Take(ByteSpan piece) override {
    if (piece.size() > RoomOf(registry_, upload_.size_bytes())) return TooLarge(registry_.options().blob_bytes_max);
    const Status appended = upload_.Append(piece);
    if (!appended.ok()) return FailureReply(request_, appended.error(), kUploadWords);
    return std::nullopt;
  }

  HttpResponse Finish() override {
    if (upload_.size_bytes() > registry_.options().blob_bytes_max) return TooLarge(registry_.options().blob_bytes_max);
    if (!digest_) return UploadReply(202, upload_.name(), upload_.size_bytes());
    const std::string repository = upload_.name().repository;
    unfinished_ = Unfinished::kKept;
    const Status published = registry_.PublishBlob(std::move(upload_), *digest_);
    if (published.ok()) return CreatedReply(repository, *digest_);
    if (published.error().code() == Code::kOutOfRange)
      return ErrorReply(400, "DIGEST_INVALID", published.error().message());
    return FailureReply(request_, published.error(), kUploadWords);
  }

 private:
  RegistryHost& registry_;
  const HttpRequest& request_;
  Uploads::Hold upload_;
  const std::optional<Digest> digest_;
  Unfinished unfinished_;
};

HttpReply ReadBlob(RegistryHost& registry, const HttpRequest& request, const Route& route, const Digest& digest,
                   RegistryHost::Asker asker) {
  auto blob = registry.GetBlob(route.repository, digest, asker);
  if (!blob.ok()) return FailureReply(request, blob.error(), kBlobWords);
  HttpResponse response;
  response.fields.Set("Content-Type", std::string(kBlobType));
  response.fields.Set("Docker-Content-Digest", digest.ToString());
  response.fields.Set("Accept-Ranges", "bytes");
  response.fields.Set("ETag", fmt::format("\"{}\"", digest.ToString()));
  response.fields.Set("Cache-Control", "max-age=31536000, immutable");
  HttpFileBody body{std::move(blob->file), 0, blob->size_bytes};
  const HttpRange range = ParseHttpRange(request.fields.Find("Range"), blob->size_bytes);
  if (range.kind == HttpRange::Kind::kUnsatisfiable) {
    HttpResponse refusal = ErrorReply(416, "RANGE_INVALID", "the range begins behind the blob's end");
    refusal.fields.Set("Content-Range", range.ContentRange(blob->size_bytes));
    return refusal;
  }
  if (range.kind == HttpRange::Kind::kPart) {
    response.status = 206;
    response.fields.Set("Content-Range", range.ContentRange(blob->size_bytes));
    body.offset_bytes = range.offset_bytes;
    body.length_bytes = range.length_bytes;
  }
  response.body = std::move(body);
  return response;
}

// The refusal of a piece that cannot be one of an upload with `size_bytes`; none if it may be.
std::optional<HttpResponse> RefusalOfPiece(const RegistryHost& registry, const HttpRequest& request,
                                           std::uint64_t size_bytes) {
  if (request.content_length && *request.content_length > RoomOf(registry, size_bytes))
    return TooLarge(registry.options().blob_bytes_max);
  const auto text = request.fields.Find("Content-Range");
  if (!text) return std::nullopt;
  const auto range = ParseContentRange(*text);
  if (!range) return ErrorReply(400, "BLOB_UPLOAD_INVALID", "Content-Range must be FIRST-LAST");
  if (range->first != size_bytes) {
    HttpResponse refusal =
        ErrorReply(416, "BLOB_UPLOAD_INVALID",
                   fmt::format("the upload has {} bytes, the piece begins at {}", size_bytes, range->first));
    refusal.fields.Set("Range", RangeOf(size_bytes));
    refusal.fields.Set("Location", request.path);
    return refusal;
  }
  if (request.content_length && *request.content_length != range->second - range->first + 1)
    return ErrorReply(400, "SIZE_INVALID", "Content-Range and Content-Length do not fit");
  return std::nullopt;
}

HttpReply TakePiece(RegistryHost& registry, const HttpRequest& request, Uploads::Hold upload,
                    std::optional<Digest> digest) {
  if (auto refusal = RefusalOfPiece(registry, request, upload.size_bytes())) return *std::move(refusal);
  return std::make_unique<PieceTaker>(registry, request, std::move(upload), digest, Unfinished::kKept);
}

bool IsReadMethod(HttpMethod method) { return method == HttpMethod::kGet || method == HttpMethod::kHead; }

}  // namespace

HttpReply HandleBlob(RegistryHost& registry, const HttpRequest& request, const Route& route,
                     RegistryHost::Asker asker) {
  const auto digest = Digest::Parse(route.reference);
  if (!digest.ok()) return ErrorReply(400, "DIGEST_INVALID", digest.error().message());
  if (IsReadMethod(request.method)) return ReadBlob(registry, request, route, *digest, asker);
  if (request.method != HttpMethod::kDelete) return NotAllowedReply("GET, HEAD, DELETE");
  const Status deleted = registry.DeleteBlob(route.repository, *digest);
  if (!deleted.ok()) return FailureReply(request, deleted.error(), kBlobWords);
  return EmptyReply(202);
}

HttpReply HandleUploads(RegistryHost& registry, const HttpRequest& request, const Route& route,
                        const std::string& from) {
  if (request.method != HttpMethod::kPost) return NotAllowedReply("POST");
  const auto mount = request.query.Find("mount");
  if (mount && !from.empty()) {
    const auto digest = Digest::Parse(*mount);
    if (!digest.ok()) return ErrorReply(400, "DIGEST_INVALID", digest.error().message());
    const Status mounted = registry.MountBlob(route.repository, *digest, from);
    if (mounted.ok()) return CreatedReply(route.repository, *digest);
    if (mounted.error().code() != Code::kNotFound) return FailureReply(request, mounted.error(), kBlobWords);
  }
  std::optional<Digest> whole;
  if (const auto text = request.query.Find("digest")) {
    const auto digest = Digest::Parse(*text);
    if (!digest.ok()) return ErrorReply(400, "DIGEST_INVALID", digest.error().message());
    whole = *digest;
  }
  if (whole) {
    if (auto refusal = RefusalOfPiece(registry, request, 0)) return *std::move(refusal);
  }
  auto upload = registry.uploads().Start(route.repository);
  if (!upload.ok()) return FailureReply(request, upload.error(), kUploadWords);
  if (!whole) return UploadReply(202, upload->name(), 0);
  return std::make_unique<PieceTaker>(registry, request, *std::move(upload), whole, Unfinished::kCancelled);
}

HttpReply HandleUpload(RegistryHost& registry, const HttpRequest& request, const Route& route) {
  if (request.method == HttpMethod::kPost || request.method == HttpMethod::kOther)
    return NotAllowedReply("GET, PATCH, PUT, DELETE");
  std::optional<Digest> end;
  if (request.method == HttpMethod::kPut) {
    const auto digest = Digest::Parse(request.query.Find("digest").value_or(""));
    if (!digest.ok()) return ErrorReply(400, "DIGEST_INVALID", digest.error().message());
    end = *digest;
  }
  auto upload = registry.uploads().Continue({route.repository, route.reference});
  if (!upload.ok()) return FailureReply(request, upload.error(), kUploadWords);
  switch (request.method) {
    case HttpMethod::kGet:
    case HttpMethod::kHead:
      return UploadReply(204, upload->name(), upload->size_bytes());
    case HttpMethod::kPatch:
    case HttpMethod::kPut:
      return TakePiece(registry, request, *std::move(upload), end);
    case HttpMethod::kDelete: {
      const Status cancelled = upload->Cancel();
      if (!cancelled.ok()) return FailureReply(request, cancelled.error(), kUploadWords);
      return EmptyReply(204);
    }
    default:
      return NotAllowedReply("GET, PATCH, PUT, DELETE");
  }
}

}  // namespace varve::v2
