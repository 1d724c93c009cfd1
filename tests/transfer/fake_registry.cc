#include "tests/transfer/fake_registry.h"

#include <fmt/core.h>

#include <utility>

#include "cached/content/sha256.h"
#include "cached/oci/media_types.h"

namespace varve {
namespace {

std::string DescriptorOf(std::string_view type, const std::string& bytes) {
  return fmt::format(R"({{"mediaType":"{}","digest":"{}","size":{}}})", type, Sha256Of(AsBytes(bytes)).ToString(),
                     bytes.size());
}

}  // namespace

Digest FakeImage::manifest_digest() const { return Sha256Of(AsBytes(manifest)); }

std::string FakeImage::blob(std::size_t layer) const { return Sha256Of(AsBytes(layers[layer])).ToString(); }

FakeImage FakeImage::Of(std::vector<std::string> layers, std::vector<Digest> diff_ids) {
  FakeImage image;
  image.layers = std::move(layers);
  image.diff_ids = std::move(diff_ids);
  if (image.diff_ids.empty()) {
    for (const std::string& layer : image.layers) image.diff_ids.push_back(Sha256Of(AsBytes(layer)));
  }
  std::string ids;
  for (const Digest& diff_id : image.diff_ids)
    ids += fmt::format(R"({}"{}")", ids.empty() ? "" : ",", diff_id.ToString());
  image.config =
      fmt::format(R"({{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":[{}]}}}})", ids);
  std::string descriptors;
  for (const std::string& layer : image.layers)
    descriptors += (descriptors.empty() ? "" : ",") + DescriptorOf(kOciLayerType, layer);
  image.manifest = fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}})", kOciManifestType,
                               DescriptorOf(kOciConfigType, image.config), descriptors);
  return image;
}

void FakeRegistry::Publish(const FakeImage& image) {
  for (const std::string& name : {std::string("1"), image.manifest_digest().ToString()})
    answers_["manifests/" + name] = {.status = 200, .body = image.manifest, .before_end = {}};
  answers_["blobs/" + Sha256Of(AsBytes(image.config)).ToString()] = {
      .status = 200, .body = image.config, .before_end = {}};
  for (std::size_t i = 0; i < image.layers.size(); ++i)
    answers_["blobs/" + image.blob(i)] = {.status = 200, .body = image.layers[i], .before_end = {}};
}

std::vector<std::string> FakeRegistry::asked() const {
  MutexLock lock(mutex_);
  return asked_;
}

std::vector<std::string> FakeRegistry::fetched() const {
  constexpr std::string_view kBlobs = "blobs/";
  std::vector<std::string> digests;
  for (const std::string& path : asked()) {
    if (path.starts_with(kBlobs)) digests.push_back(path.substr(kBlobs.size()));
  }
  return digests;
}

void FakeRegistry::ForgetAsked() {
  MutexLock lock(mutex_);
  asked_.clear();
}

Result<HttpAnswer> FakeRegistry::Send(const HttpCall& request, const ConnectionOptions&, const BodySink& sink,
                                      const CancelToken& cancel) {
  constexpr std::string_view kRoot = "https://registry.example/v2/";
  if (!reachable_) return Error(Code::kFailedPrecondition, "no route to host");
  if (request.url == kRoot) return HttpAnswer{200, {}};
  const auto found = answers_.find(request.url.substr(kRoot.size() + std::string_view("team/app/").size()));
  if (found == answers_.end()) return HttpAnswer{404, {}};
  const auto& [path, answer] = *found;
  {
    MutexLock lock(mutex_);
    asked_.push_back(path);
  }
  const std::string_view type = answer.body.contains("\"manifests\":") ? kOciIndexType : kOciManifestType;
  const HttpAnswer head{answer.status, {{"content-type", std::string(type)}}};
  const ByteSpan body = AsBytes(answer.body);
  VARVE_RETURN_IF_ERROR(sink(head, body.first(body.size() / 2)));
  if (answer.before_end) VARVE_RETURN_IF_ERROR(answer.before_end(cancel));
  VARVE_RETURN_IF_ERROR(sink(head, body.subspan(body.size() / 2)));
  return head;
}

}  // namespace varve
