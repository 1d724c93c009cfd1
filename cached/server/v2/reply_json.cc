#include <fmt/core.h>

#include <map>
#include <nlohmann/json.hpp>

#include "cached/oci/media_types.h"
#include "cached/server/v2/reply.h"

namespace varve::v2 {
namespace {

using OrderedJson = nlohmann::ordered_json;

// Names and messages hold what clients sent: bytes that are not UTF-8 are replaced, never an exception.
std::string Dump(const OrderedJson& json) { return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace); }

HttpResponse JsonReply(int status, std::string_view type, const OrderedJson& json) {
  HttpResponse response;
  response.status = status;
  response.fields.Set("Content-Type", std::string(type));
  response.body = Dump(json);
  return response;
}

HttpResponse Page(HttpResponse response, const std::optional<std::string>& next) {
  if (next) response.fields.Set("Link", fmt::format("<{}>; rel=\"next\"", *next));
  return response;
}

}  // namespace

HttpResponse ErrorReply(int status, std::string_view code, std::string_view message) {
  return JsonReply(status, "application/json", {{"errors", {{{"code", code}, {"message", message}}}}});
}

HttpResponse EmptyReply(int status, std::string location) {
  HttpResponse response;
  response.status = status;
  if (!location.empty()) response.fields.Set("Location", std::move(location));
  return response;
}

HttpResponse NotAllowedReply(std::string allowed) {
  HttpResponse response = ErrorReply(405, "UNSUPPORTED", "this address does not take this method");
  response.fields.Set("Allow", std::move(allowed));
  return response;
}

HttpResponse TagsReply(const std::string& repository, std::span<const std::string> tags,
                       const std::optional<std::string>& next) {
  OrderedJson list = OrderedJson::array();
  for (const std::string& tag : tags) list.push_back(tag);
  return Page(JsonReply(200, "application/json", {{"name", repository}, {"tags", std::move(list)}}), next);
}

HttpResponse RepositoriesReply(std::span<const std::string> repositories, const std::optional<std::string>& next) {
  OrderedJson list = OrderedJson::array();
  for (const std::string& repository : repositories) list.push_back(repository);
  return Page(JsonReply(200, "application/json", {{"repositories", std::move(list)}}), next);
}

HttpResponse ReferrersReply(std::span<const Repositories::Referrer> referrers, bool filtered,
                            const std::optional<std::string>& next) {
  OrderedJson list = OrderedJson::array();
  for (const auto& [digest, manifest] : referrers) {
    OrderedJson entry = {
        {"mediaType", manifest.media_type()}, {"digest", digest.ToString()}, {"size", manifest.size_bytes()}};
    if (!manifest.artifact_type().empty()) entry["artifactType"] = manifest.artifact_type();
    std::map<std::string, std::string> annotations;
    for (const auto& annotation : manifest.annotations()) annotations.emplace(annotation.name(), annotation.value());
    if (!annotations.empty()) entry["annotations"] = annotations;
    list.push_back(std::move(entry));
  }
  HttpResponse response = JsonReply(
      200, kOciIndexType, {{"schemaVersion", 2}, {"mediaType", kOciIndexType}, {"manifests", std::move(list)}});
  if (filtered) response.fields.Set("OCI-Filters-Applied", "artifactType");
  return Page(std::move(response), next);
}

}  // namespace varve::v2
