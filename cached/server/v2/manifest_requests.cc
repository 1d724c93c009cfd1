#include "cached/server/v2/manifest_requests.h"

#include <fmt/core.h>

#include <utility>

#include "cached/server/v2/failure.h"
#include "cached/server/v2/reply.h"

namespace varve::v2 {
namespace {

// "tag" parameters of one PUT (distribution-spec, end-7b).
constexpr std::size_t kMoreTagsMax = 100;

HttpResponse TooLarge(std::size_t most_bytes) {
  return ErrorReply(413, "SIZE_INVALID", fmt::format("a manifest may have at most {} bytes here", most_bytes));
}

std::vector<std::string> TagsIn(const HttpQuery& query) {
  std::vector<std::string> tags;
  for (const auto& [name, value] : query) {
    if (name == "tag") tags.push_back(value);
  }
  return tags;
}

class ManifestTaker final : public HttpBodyTaker {
 public:
  ManifestTaker(RegistryHost& registry, const HttpRequest& request, const Route& route)
      : registry_(registry), request_(request), route_(route) {}

  std::optional<HttpResponse> Take(ByteSpan piece) override {
    const std::size_t most = registry_.options().manifest_bytes_max;
    if (piece.size() > most - bytes_.size()) return TooLarge(most);
    bytes_.insert(bytes_.end(), piece.begin(), piece.end());
    return std::nullopt;
  }

  HttpResponse Finish() override {
    const std::vector<std::string> tags = TagsIn(request_.query);
    if (tags.size() > kMoreTagsMax)
      return ErrorReply(400, "MANIFEST_INVALID", fmt::format("at most {} tags at once", kMoreTagsMax));
    const auto put = registry_.PutManifest(route_.repository, route_.reference, tags,
                                           request_.fields.Find("Content-Type").value_or(""), bytes_);
    if (!put.ok() && put.error().code() == Code::kOutOfRange)
      return ErrorReply(400, "DIGEST_INVALID", put.error().message());
    if (!put.ok()) return FailureReply(request_, put.error(), kManifestWords);
    HttpResponse response =
        EmptyReply(201, fmt::format("/v2/{}/manifests/{}", route_.repository, put->digest.ToString()));
    response.fields.Set("Docker-Content-Digest", put->digest.ToString());
    const std::optional<Digest>& subject = put->subject;
    if (subject) response.fields.Set("OCI-Subject", subject->ToString());
    for (const std::string& tag : tags) response.fields.Add("OCI-Tag", tag);
    return response;
  }

 private:
  RegistryHost& registry_;
  const HttpRequest& request_;
  const Route route_;
  Bytes bytes_;
};

HttpReply ReadManifest(RegistryHost& registry, const HttpRequest& request, const Route& route) {
  auto found = registry.GetManifest(route.repository, route.reference);
  if (!found.ok()) return FailureReply(request, found.error(), kManifestWords);
  const std::string etag = fmt::format("\"{}\"", found->digest.ToString());
  HttpResponse response;
  response.fields.Set("Docker-Content-Digest", found->digest.ToString());
  response.fields.Set("ETag", etag);
  if (request.fields.Find("If-None-Match") == etag) {
    response.status = 304;
    return response;
  }
  response.fields.Set("Content-Type", std::move(found->media_type));
  response.body = std::move(found->bytes);
  return response;
}

}  // namespace

HttpReply HandleManifest(RegistryHost& registry, const HttpRequest& request, const Route& route) {
  switch (request.method) {
    case HttpMethod::kGet:
    case HttpMethod::kHead:
      return ReadManifest(registry, request, route);
    case HttpMethod::kPut:
      if (request.content_length && *request.content_length > registry.options().manifest_bytes_max)
        return TooLarge(registry.options().manifest_bytes_max);
      return std::make_unique<ManifestTaker>(registry, request, route);
    case HttpMethod::kDelete: {
      const Status deleted = registry.DeleteManifest(route.repository, route.reference);
      if (!deleted.ok()) return FailureReply(request, deleted.error(), kManifestWords);
      return EmptyReply(202);
    }
    default:
      return NotAllowedReply("GET, HEAD, PUT, DELETE");
  }
}

}  // namespace varve::v2
