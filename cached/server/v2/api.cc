#include "cached/server/v2/api.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "cached/http/target.h"
#include "cached/server/v2/blob_requests.h"
#include "cached/server/v2/failure.h"
#include "cached/server/v2/manifest_requests.h"
#include "cached/server/v2/reply.h"

namespace varve::v2 {
namespace {

// A page of a list, where the client does not say.
constexpr std::size_t kPageMax = 10'000;
constexpr std::size_t kReferrersPageMax = 64;  // each with kReferrerAnnotationBytesMax of annotations

constexpr std::string_view kChallenge = "Basic realm=\"varve\", charset=\"UTF-8\"";

bool IsRead(const HttpRequest& request) {
  return request.method == HttpMethod::kGet || request.method == HttpMethod::kHead;
}

HttpResponse AskForPassword(std::string_view message) {
  HttpResponse response = ErrorReply(401, "UNAUTHORIZED", message);
  response.fields.Set("WWW-Authenticate", std::string(kChallenge));
  return response;
}

Action ActionOf(const HttpRequest& request, Route::Kind kind) {
  if (IsRead(request) && kind != Route::Kind::kUpload) return Action::kPull;
  const bool removes = request.method == HttpMethod::kDelete && kind != Route::Kind::kUpload;
  return removes ? Action::kDelete : Action::kPush;
}

struct PageWish {
  std::size_t most = kPageMax;
  std::string after;
};

Result<PageWish> WishOf(const HttpRequest& request) {
  PageWish wish{.after = std::string(request.query.Find("last").value_or(""))};
  const auto n = request.query.Find("n");
  if (!n) return wish;
  std::size_t most = 0;
  const auto [end, error] = std::from_chars(n->data(), n->data() + n->size(), most);
  if (error != std::errc() || end != n->data() + n->size())
    return Error(Code::kInvalidArgument, "n must be a number that is not negative");
  wish.most = std::min(most, kPageMax);
  return wish;
}

// Of `items`, one more than was asked for tells that there is another page.
template <class Item>
bool CutPage(std::vector<Item>& items, std::size_t most) {
  if (items.size() <= most) return false;
  items.resize(most);
  return most > 0;
}

}  // namespace

HttpHandler::Place Api::PlaceOf(const HttpRequest& request) const {
  if (!IsRead(request) || !access_.IsQuick(request)) return Place::kWorker;
  auto parsed = ParseRoute(request.path);
  if (!parsed.ok()) return Place::kConnectionThread;
  const std::optional<Route> route = *std::move(parsed);
  if (!route) return Place::kConnectionThread;
  const Route::Kind kind = route->kind;
  return kind == Route::Kind::kBase || kind == Route::Kind::kBlob || kind == Route::Kind::kManifest
             ? Place::kConnectionThread
             : Place::kWorker;
}

Api::Admission Api::Admit(const HttpRequest& request) {
  auto user = access_.Authenticate(request);
  if (user.ok()) return {*std::move(user), std::nullopt};
  if (user.error().code() == Code::kUnauthenticated) return {"", AskForPassword(user.error().message())};
  HttpResponse response = ErrorReply(429, "TOOMANYREQUESTS", user.error().message());
  response.fields.Set("Retry-After", std::to_string(Access::kWaitAfterGuesses.count()));
  return {"", std::move(response)};
}

std::optional<HttpResponse> Api::RefusalOf(const HttpRequest& request) {
  Admission admission = Admit(request);
  if (!admission.refusal && access_.MightLogIn(admission.user)) return AskForPassword("authentication required");
  return std::move(admission.refusal);
}

HttpReply Api::Handle(const HttpRequest& request) {
  HttpReply reply = Answer(request);
  if (auto* const response = std::get_if<HttpResponse>(&reply))
    response->fields.Set("Docker-Distribution-API-Version", "registry/2.0");  // docker of before 2020 asks for it
  return reply;
}

HttpReply Api::Answer(const HttpRequest& request) {
  Admission admission = Admit(request);
  if (admission.refusal) return *std::move(admission.refusal);
  auto parsed = ParseRoute(request.path);
  if (!parsed.ok()) return ErrorReply(400, "NAME_INVALID", parsed.error().message());
  const std::optional<v2::Route> route = *std::move(parsed);
  if (!route) return ErrorReply(404, "NAME_UNKNOWN", "no such address: the registry's begin with /v2/");
  return Dispatch(request, admission.user, *route);
}

HttpReply Api::Dispatch(const HttpRequest& request, const std::string& user, const Route& route) {
  const Action action = ActionOf(request, route.kind);
  if (route.repository.empty() ? access_.MightLogIn(user) && !access_.Allows(user, "", Action::kPull)
                               : !access_.Allows(user, route.repository, action)) {
    if (access_.MightLogIn(user)) return AskForPassword("authentication required");
    return ErrorReply(403, "DENIED",
                      fmt::format("{} may not do this in {}", user.empty() ? "anonymous" : user, route.repository));
  }
  if (action == Action::kDelete && !options_.deletes)
    return NotAllowedReply(route.kind == Route::Kind::kManifest ? "GET, HEAD, PUT" : "GET, HEAD");
  switch (route.kind) {
    case Route::Kind::kBase:
      return Base(request, user);
    case Route::Kind::kCatalog:
      return Catalog(request, user);
    case Route::Kind::kTags:
      return Tags(request, route.repository);
    case Route::Kind::kReferrers:
      return Referrers(request, route);
    case Route::Kind::kManifest:
      return HandleManifest(registry_, request, route);
    case Route::Kind::kBlob: {  // pushers ask by HEAD
      const bool pushes = request.method == HttpMethod::kHead && access_.Allows(user, route.repository, Action::kPush);
      return HandleBlob(registry_, request, route,
                        pushes ? RegistryHost::Asker::kPusher : RegistryHost::Asker::kReader);
    }
    case Route::Kind::kUpload:
      return HandleUpload(registry_, request, route);
    case Route::Kind::kUploads: {
      const std::string from(request.query.Find("from").value_or(""));
      const bool may_mount = access_.Allows(user, from, Action::kPull);
      return HandleUploads(registry_, request, route, may_mount ? from : "");
    }
  }
  return ErrorReply(404, "NAME_UNKNOWN", "no such address");
}

HttpReply Api::Base(const HttpRequest& request, const std::string& user) {
  if (!IsRead(request)) return NotAllowedReply("GET, HEAD");
  HttpResponse response;
  response.fields.Set("Content-Type", "application/json");
  // Who is let in without a password may have one, and learns here alone that it can be used.
  if (access_.MightLogIn(user)) response.fields.Set("WWW-Authenticate", std::string(kChallenge));
  response.body = "{}";
  return response;
}

// Only what the user may pull: a page is filled from as many of the store's as it takes.
HttpReply Api::Catalog(const HttpRequest& request, const std::string& user) {
  if (!IsRead(request)) return NotAllowedReply("GET, HEAD");
  const auto wish = WishOf(request);
  if (!wish.ok()) return ErrorReply(400, "PAGINATION_NUMBER_INVALID", wish.error().message());
  std::vector<std::string> shown;
  for (std::string after = wish->after; shown.size() <= wish->most;) {
    const auto some = registry_.ListRepositories(after, std::min(kPageMax, wish->most + 1 - shown.size()));
    if (!some.ok()) return FailureReply(request, some.error(), kNameWords);
    if (some->empty()) break;
    after = some->back();
    std::ranges::copy_if(*some, std::back_inserter(shown), [&](const std::string& repository) {
      return access_.Allows(user, repository, Action::kPull);
    });
  }
  std::optional<std::string> next;
  if (shown.size() > wish->most) shown.resize(wish->most + 1);
  if (CutPage(shown, wish->most)) next = fmt::format("/v2/_catalog?n={}&last={}", wish->most, shown.back());
  return RepositoriesReply(shown, next);
}

HttpReply Api::Tags(const HttpRequest& request, const std::string& repository) {
  if (!IsRead(request)) return NotAllowedReply("GET, HEAD");
  const auto wish = WishOf(request);
  if (!wish.ok()) return ErrorReply(400, "PAGINATION_NUMBER_INVALID", wish.error().message());
  auto tags = registry_.ListTags(repository, wish->after, wish->most + 1);
  if (!tags.ok()) return FailureReply(request, tags.error(), kNameWords);
  std::optional<std::string> next;
  if (CutPage(*tags, wish->most))
    next = fmt::format("/v2/{}/tags/list?n={}&last={}", repository, wish->most, tags->back());
  return TagsReply(repository, *tags, next);
}

HttpReply Api::Referrers(const HttpRequest& request, const Route& route) {
  if (!IsRead(request)) return NotAllowedReply("GET, HEAD");
  const auto subject = Digest::Parse(route.reference);
  if (!subject.ok()) return ErrorReply(400, "DIGEST_INVALID", subject.error().message());
  const auto wish = WishOf(request);
  if (!wish.ok()) return ErrorReply(400, "PAGINATION_NUMBER_INVALID", wish.error().message());
  std::optional<Digest> after;
  if (!wish->after.empty()) {
    const auto parsed = Digest::Parse(wish->after);
    if (!parsed.ok()) return ErrorReply(400, "DIGEST_INVALID", parsed.error().message());
    after = *parsed;
  }
  const std::string_view type = request.query.Find("artifactType").value_or("");
  const std::size_t most = std::min(wish->most, kReferrersPageMax);
  auto found = registry_.ListReferrers(route.repository, *subject, type, after, most + 1);
  if (!found.ok()) return FailureReply(request, found.error(), kNameWords);
  std::optional<std::string> next;
  if (CutPage(*found, most)) {
    next = fmt::format("/v2/{}/referrers/{}?n={}&last={}", route.repository, route.reference, most,
                       found->back().first.ToString());
    if (!type.empty()) *next += "&artifactType=" + PercentEncode(type);
  }
  return ReferrersReply(*found, !type.empty(), next);
}

}  // namespace varve::v2
