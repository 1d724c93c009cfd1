#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cached/base/mutex.h"
#include "cached/content/digest.h"
#include "cached/registry/http_transport.h"

namespace varve {

// An image that a test makes up of layers that are not compressed.
struct FakeImage {
  std::string config;
  std::string manifest;
  std::vector<std::string> layers;
  std::vector<Digest> diff_ids;

  Digest manifest_digest() const;
  std::string blob(std::size_t layer) const;  // "sha256:…"

  // With `diff_ids` as its config is to say them, those of the layers if none are given.
  static FakeImage Of(std::vector<std::string> layers, std::vector<Digest> diff_ids = {});
};

// registry.example in memory: what stands behind each path below /v2/team/app/. Filled before it is asked; asking is
// thread-safe.
class FakeRegistry final : public HttpTransport {
 public:
  struct Answer {
    int status = 200;
    std::string body;
    std::function<Status(const CancelToken&)> before_end;  // called when half of the body is sent
  };
  static constexpr std::string_view kReference = "registry.example/team/app:1";

  void Publish(const FakeImage& image);
  Answer& operator[](const std::string& path) { return answers_[path]; }
  void Erase(const std::string& path) { answers_.erase(path); }
  void SetReachable(bool reachable) { reachable_ = reachable; }
  // The paths of all that it had and gave since the last ForgetAsked, in order; of the blobs among them the digests.
  std::vector<std::string> asked() const EXCLUDES(mutex_);
  std::vector<std::string> fetched() const;
  void ForgetAsked() EXCLUDES(mutex_);

  Result<HttpAnswer> Send(const HttpCall& request, const ConnectionOptions&, const BodySink& sink,
                          const CancelToken& cancel) override EXCLUDES(mutex_);

 private:
  std::map<std::string, Answer> answers_;
  bool reachable_ = true;
  mutable Mutex mutex_;
  std::vector<std::string> asked_ GUARDED_BY(mutex_);
};

}  // namespace varve
