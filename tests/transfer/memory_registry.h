#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cached/base/mutex.h"
#include "cached/registry/http_transport.h"
#include "tests/transfer/fake_registry.h"

namespace varve {

// Any number of registries in memory, to be pulled from and pushed to. Filled before they are asked, but by pushes;
// asking is thread-safe.
class MemoryRegistry final : public HttpTransport {
 public:
  struct Repository {
    std::map<std::string, std::string> blobs;                              // by digest
    std::map<std::string, std::pair<std::string, std::string>> manifests;  // by tag and digest: bytes, media type
  };

  void Publish(const std::string& repository, const FakeImage& image);
  Repository& operator[](const std::string& repository) { return repositories_[repository]; }  // "a.example/team/app"
  // Requests that begin so ("POST a.example/team") are answered with a status and nothing done; 0: the network fails.
  void Refuse(const std::string& prefix, int status) { refusals_[prefix] = status; }
  void AllowAll() { refusals_.clear(); }
  // So many uploads break off in their middle.
  void BreakUploads(int count) { breaks_ = count; }
  // Called once, in the middle of the first upload.
  void AtFirstUpload(std::function<void()> action) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    at_first_upload_ = std::move(action);
  }

  // "METHOD a.example/team/app/blobs/sha256:…" of all requests since the last call.
  std::vector<std::string> TakeAsked() EXCLUDES(mutex_);

  Result<HttpAnswer> Send(const HttpCall& request, const ConnectionOptions&, const BodySink& sink,
                          const CancelToken& cancel) override EXCLUDES(mutex_);

 private:
  Result<HttpAnswer> Read(const HttpCall& request, Repository& repository, const std::string& what,
                          const BodySink& sink);
  std::function<void()> TakeAction() EXCLUDES(mutex_);
  Result<HttpAnswer> Patch(const HttpCall& request, const std::string& session) EXCLUDES(mutex_);
  HttpAnswer Write(const HttpCall& request, const std::string& name, const std::string& what,
                   const std::map<std::string, std::string>& query) EXCLUDES(mutex_);

  std::map<std::string, int> refusals_;
  Mutex mutex_;
  std::function<void()> at_first_upload_ GUARDED_BY(mutex_);
  std::map<std::string, Repository> repositories_;
  std::map<std::string, std::string> sessions_ GUARDED_BY(mutex_);  // by URL
  int breaks_ = 0;
  int next_session_ GUARDED_BY(mutex_) = 0;
  std::vector<std::string> asked_ GUARDED_BY(mutex_);
};

}  // namespace varve
