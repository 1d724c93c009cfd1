#include "tests/server/v2/api_client.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "cached/content/sha256.h"
#include "cached/http/target.h"
#include "cached/oci/media_types.h"

namespace varve::v2 {
namespace {

std::string Lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
  return text;
}

HttpMethod MethodOf(std::string_view name) {
  for (const HttpMethod method : {HttpMethod::kGet, HttpMethod::kHead, HttpMethod::kPost, HttpMethod::kPut,
                                  HttpMethod::kPatch, HttpMethod::kDelete}) {
    if (HttpMethodName(method) == name) return method;
  }
  return HttpMethod::kOther;
}

std::string BodyOf(const HttpResponse& response) {
  if (const auto* const text = std::get_if<std::string>(&response.body)) return *text;
  if (const auto* const bytes = std::get_if<std::shared_ptr<const Bytes>>(&response.body))
    return std::string(AsText(**bytes));
  const auto& part = std::get<HttpFileBody>(response.body);
  Bytes read(part.length_bytes);
  EXPECT_EQ(part.file->ReadAt(part.offset_bytes, read).value(), part.length_bytes);
  return std::string(AsText(read));
}

}  // namespace

std::string Answer::operator[](const std::string& field) const {
  const auto found = fields.find(field);
  return found == fields.end() ? "" : found->second;
}

std::string Answer::error() const {
  constexpr std::string_view kBefore = R"({"errors":[{"code":")";
  if (!body.starts_with(kBefore)) return "";
  return body.substr(kBefore.size(), body.find('"', kBefore.size()) - kBefore.size());
}

ApiClient::ApiClient(const AccessOptions& access, const ApiOptions& api, const RegistryHostOptions& host)
    : access_options_(access), api_options_(api), host_options_(host) {
  Build();
}

void ApiClient::Build() {
  host_ = std::make_unique<RegistryHost>(*store_, clock_, host_options_, [](const std::string&, const Digest&) {});
  auto access = Access::Create(access_options_, clock_);
  ASSERT_TRUE(access.ok()) << access.error().message();
  access_ = *std::move(access);
  api_ = std::make_unique<Api>(*host_, *access_, api_options_);
}

void ApiClient::Restart(const RegistryHostOptions& host) {
  host_options_ = host;
  api_.reset();
  host_.reset();
  store_.Close();
  store_.Open();
  Build();
}

Answer ApiClient::Send(std::string_view method, const std::string& target, std::string_view body,
                       const Fields& fields) {
  HttpRequest request;
  request.method = MethodOf(method);
  auto parsed = ParseHttpTarget(target);
  EXPECT_TRUE(parsed.ok()) << target;
  request.path = parsed->path;
  request.query = parsed->query;
  for (const auto& [name, value] : fields) request.fields.Add(name, value);
  if (!body.empty()) request.content_length = body.size();
  request.remote = remote;
  auto reply = api_->Handle(request);
  if (auto* const taker = std::get_if<std::unique_ptr<HttpBodyTaker>>(&reply)) {
    std::optional<HttpResponse> early;
    for (std::size_t at = 0; at < body.size() && !early; at += piece_bytes)
      early = (*taker)->Take(AsBytes(body.substr(at, piece_bytes)));
    HttpResponse answer = early ? *std::move(early) : (*taker)->Finish();
    reply = std::move(answer);  // the taker goes before the request
  }
  const auto& response = std::get<HttpResponse>(reply);
  Answer answer{.status = response.status, .fields = {}, .body = method == "HEAD" ? "" : BodyOf(response)};
  for (const auto& [name, value] : response.fields) answer.fields[Lower(name)] = value;
  return answer;
}

std::string ApiClient::PushBlob(const std::string& repository, std::string_view content) {
  const std::string digest = DigestText(content);
  const Answer answer = Send("PUT", StartUpload(repository) + "?digest=" + digest, content);
  EXPECT_EQ(answer.status, 201) << answer.body;
  return digest;
}

Answer ApiClient::PutManifest(const std::string& repository, const std::string& reference, const std::string& type,
                              const std::string& content) {
  return Send("PUT", "/v2/" + repository + "/manifests/" + reference, content, {{"Content-Type", type}});
}

std::string ApiClient::StartUpload(const std::string& repository) {
  const Answer answer = Send("POST", "/v2/" + repository + "/blobs/uploads/");
  EXPECT_EQ(answer.status, 202) << answer.body;
  return answer["location"];
}

std::string DigestText(std::string_view content) { return Sha256Of(AsBytes(content)).ToString(); }

std::string DescriptorText(std::string_view type, std::string_view content) {
  return fmt::format(R"({{"mediaType":"{}","digest":"{}","size":{}}})", type, DigestText(content), content.size());
}

std::string ManifestOf(std::string_view config, const std::vector<std::string>& layers, std::string_view more) {
  std::string list;
  for (const std::string& layer : layers) list += (list.empty() ? "" : ",") + DescriptorText(kOciLayerType, layer);
  return fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]{}}})", kOciManifestType,
                     DescriptorText(kOciConfigType, config), list, more);
}

}  // namespace varve::v2
