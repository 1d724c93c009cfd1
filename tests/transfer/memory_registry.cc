#include "tests/transfer/memory_registry.h"

#include <algorithm>

#include "cached/content/sha256.h"
#include "cached/oci/media_types.h"

namespace varve {
namespace {

constexpr std::string_view kScheme = "https://";

const char* NameOf(HttpVerb method) {
  constexpr const char* kNames[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
  return kNames[static_cast<int>(method)];
}

std::string DigestOf(std::string_view bytes) { return Sha256Of(AsBytes(bytes)).ToString(); }

std::map<std::string, std::string> QueryOf(std::string_view url) {
  std::map<std::string, std::string> query;
  std::size_t at = url.find('?');
  while (at != std::string_view::npos) {
    const std::size_t end = url.find('&', at + 1);
    const std::string_view pair = url.substr(at + 1, end == std::string_view::npos ? end : end - at - 1);
    query.emplace(pair.substr(0, pair.find('=')), pair.substr(pair.find('=') + 1));
    at = end;
  }
  return query;
}

}  // namespace

void MemoryRegistry::Publish(const std::string& repository, const FakeImage& image) {
  Repository& into = repositories_[repository];
  for (const std::string& name : {std::string("1"), image.manifest_digest().ToString()})
    into.manifests[name] = {image.manifest, std::string(kOciManifestType)};
  into.blobs[DigestOf(image.config)] = image.config;
  for (const std::string& layer : image.layers) into.blobs[DigestOf(layer)] = layer;
}

std::vector<std::string> MemoryRegistry::TakeAsked() {
  MutexLock lock(mutex_);
  return std::exchange(asked_, {});
}

Result<HttpAnswer> MemoryRegistry::Send(const HttpCall& request, const ConnectionOptions&, const BodySink& sink,
                                        const CancelToken& cancel) {
  VARVE_RETURN_IF_ERROR(cancel.Check());
  std::string path = request.url.substr(kScheme.size());
  const auto query = QueryOf(path);
  path.resize(std::min(path.size(), path.find('?')));
  path.erase(path.find("/v2/"), 3);  // "a.example/team/app/blobs/…"
  const std::string line = std::string(NameOf(request.method)) + " " + path;
  Repository* repository = nullptr;
  const std::size_t kind = std::min(path.find("/blobs/"), path.find("/manifests/"));
  {
    MutexLock lock(mutex_);
    asked_.push_back(line);
    if (kind != std::string::npos) repository = &repositories_[path.substr(0, kind)];
  }
  for (const auto& [prefix, status] : refusals_) {
    if (!line.starts_with(prefix)) continue;
    if (status == 0) return Error(Code::kUnavailable, "no route to host");
    return HttpAnswer{status, {}};
  }
  if (repository == nullptr) return HttpAnswer{200, {}};
  const std::string what = path.substr(kind + 1);
  if (request.method == HttpVerb::kPatch) return Patch(request, path);
  if (what.starts_with("blobs/uploads/") || request.method == HttpVerb::kPut)
    return Write(request, path.substr(0, kind), what, query);
  return Read(request, *repository, what, sink);
}

Result<HttpAnswer> MemoryRegistry::Read(const HttpCall& request, Repository& repository, const std::string& what,
                                        const BodySink& sink) {
  const std::string name = what.substr(what.find('/') + 1);
  const auto blob = repository.blobs.find(name);
  const auto manifest = repository.manifests.find(name);
  const bool is_blob = what.starts_with("blobs/");
  if (is_blob ? blob == repository.blobs.end() : manifest == repository.manifests.end()) return HttpAnswer{404, {}};
  HttpAnswer head{200, {}};
  if (!is_blob) head.headers["content-type"] = manifest->second.second;
  const std::string& body = is_blob ? blob->second : manifest->second.first;
  if (request.method == HttpVerb::kGet) VARVE_RETURN_IF_ERROR(sink(head, AsBytes(body)));
  return head;
}

std::function<void()> MemoryRegistry::TakeAction() {
  MutexLock lock(mutex_);
  return std::exchange(at_first_upload_, {});
}

Result<HttpAnswer> MemoryRegistry::Patch(const HttpCall& request, const std::string& session) {
  std::string taken;
  std::vector<std::byte> buffer(10'000);
  for (;;) {
    VARVE_ASSIGN_OR_RETURN(const std::size_t size, request.body_source(buffer));
    if (const auto action = TakeAction()) action();
    taken += AsText(ByteSpan(buffer).first(size));
    MutexLock lock(mutex_);
    const bool breaks = breaks_ > 0 && taken.size() > 20'000;
    if (size != 0 && !breaks) continue;
    std::string& arrived = sessions_[session];
    arrived += taken;
    if (!breaks)
      return HttpAnswer{202,
                        {{"location", "/v2" + session.substr(session.find('/'))},
                         {"range", "0-" + std::to_string(arrived.size() - 1)}}};
    --breaks_;
    return Error(Code::kUnavailable, "connection reset");
  }
}

HttpAnswer MemoryRegistry::Write(const HttpCall& request, const std::string& name, const std::string& what,
                                 const std::map<std::string, std::string>& query) {
  MutexLock lock(mutex_);
  Repository& repository = repositories_[name];
  if (what.starts_with("manifests/")) {
    const auto manifest =
        std::pair(request.body, request.headers.front().substr(request.headers.front().find(' ') + 1));
    for (const std::string& as : {what.substr(what.find('/') + 1), DigestOf(request.body)})
      repository.manifests[as] = manifest;
    return {201, {{"docker-content-digest", DigestOf(request.body)}}};
  }
  const std::string session = name + "/" + what;
  const std::string location = "/v2" + session.substr(session.find('/'));
  if (request.method == HttpVerb::kPost) {
    if (query.contains("mount")) {
      Repository& from = repositories_[name.substr(0, name.find('/') + 1) + query.at("from")];
      const auto blob = from.blobs.find(query.at("mount"));
      if (blob != from.blobs.end()) {
        repository.blobs.insert(*blob);
        return {201, {}};
      }
    }
    const std::string number = std::to_string(next_session_++);
    sessions_[session + number];
    return {202, {{"location", location + number}}};
  }
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return {404, {}};
  const std::string arrived = found->second;
  if (request.method == HttpVerb::kGet)
    return {204, {{"location", location}, {"range", "0-" + std::to_string(arrived.empty() ? 0 : arrived.size() - 1)}}};
  sessions_.erase(found);
  if (request.method == HttpVerb::kDelete) return {204, {}};
  if (DigestOf(arrived) != query.at("digest")) return {400, {}};
  repository.blobs[query.at("digest")] = arrived;
  return {201, {}};
}

}  // namespace varve
