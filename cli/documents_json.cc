#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "cached/base/bytes.h"
#include "cli/documents.h"
#include "cli/listing/print.h"

namespace varve {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kIndent = 4;
constexpr int kOneLine = -1;

std::string Text(const Json& json, int indent = kIndent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

// Docker's scripts ask for these fields, whether the image has them or not.
Json DockerConfigOf(const Json& image) {
  Json config = image.contains("config") && image["config"].is_object() ? image["config"] : Json::object();
  for (const char* text : {"User", "WorkingDir"}) config.emplace(text, "");
  for (const char* other : {"Env", "Cmd", "Volumes", "Entrypoint", "Labels"}) config.emplace(other, nullptr);
  return config;
}

}  // namespace

std::string UsageJson(const v1::UsageReply& usage) {
  Json json = {{"images", usage.images()},           {"layers", usage.layers()},
               {"chunks", usage.chunks()},           {"raw_bytes", usage.raw_bytes()},
               {"layer_bytes", usage.layer_bytes()}, {"stored_bytes", usage.stored_bytes()},
               {"originals", usage.originals()},     {"original_bytes", usage.original_bytes()},
               {"dedup_ratio", usage.dedup_ratio()}};
  for (const auto& image : usage.per_image()) {
    json["per_image"].push_back({{"name", image.name()},
                                 {"raw_bytes", image.raw_bytes()},
                                 {"exclusive_bytes", image.exclusive_bytes()},
                                 {"shared_bytes", image.shared_bytes()}});
  }
  return Text(json);
}

std::string MountRowJson(const UserMount& mount) {
  return Text(
      {{"Directory", mount.directory}, {"Mode", mount.scratch.empty() ? "ro" : "rw"}, {"ChainID", mount.chain_id}},
      kOneLine);
}

std::string TagRowJson(const std::string& repository, const std::string& tag) {
  return Text({{"Name", repository}, {"Tag", tag}}, kOneLine);
}

std::string UsageRowJson(const UsageRow& row) {
  std::string reclaimable = HumanSize(row.reclaimable_bytes);
  if (row.bytes > 0) reclaimable += fmt::format(" ({}%)", row.reclaimable_bytes * 100 / row.bytes);
  return Text({{"Type", row.type},
               {"TotalCount", std::to_string(row.count)},
               {"Active", std::to_string(row.active)},
               {"Size", HumanSize(row.bytes)},
               {"Reclaimable", reclaimable}},
              kOneLine);
}

std::string DedupJson(const v1::BenchDedupReply& report) {
  const auto ratio = [&](std::uint64_t bytes) {
    return bytes == 0 ? 0.0 : static_cast<double>(report.raw_bytes()) / static_cast<double>(bytes);
  };
  Json json = {{"raw_bytes", report.raw_bytes()},
               {"layer_bytes", report.layer_bytes()},
               {"file_bytes", report.file_bytes()},
               {"fixed_bytes", report.fixed_bytes()},
               {"fixed_piece_bytes", report.fixed_piece_bytes()},
               {"fastcdc_bytes", report.fastcdc_bytes()},
               {"stored_bytes", report.stored_bytes()},
               {"ratios",
                {{"layer", ratio(report.layer_bytes())},
                 {"file", ratio(report.file_bytes())},
                 {"fixed", ratio(report.fixed_bytes())},
                 {"fastcdc", ratio(report.fastcdc_bytes())},
                 {"stored", ratio(report.stored_bytes())}}}};
  for (const auto& bucket : report.chunk_sizes()) {
    json["chunk_sizes"].push_back({{"up_to_bytes", bucket.up_to_bytes()}, {"chunks", bucket.chunks()}});
  }
  return Text(json);
}

std::string ImageRowJson(const v1::ListImagesReply::Image& image, const std::string& id) {
  const Json json = {{"Containers", "N/A"},
                     {"Repository", image.repository().empty() ? "<none>" : image.repository()},
                     {"Tag", image.tag().empty() ? "<none>" : image.tag()},
                     {"ID", id},
                     {"Digest", image.manifest_digest().empty() ? "<none>" : image.manifest_digest()},
                     {"CreatedSince", AgoOf(image.created())},
                     {"CreatedAt", image.created()},
                     {"Size", HumanSize(image.size_bytes())},
                     {"SharedSize", "N/A"},
                     {"UniqueSize", "N/A"}};
  return Text(json, kOneLine);
}

std::string HistoryRowJson(const HistoryRow& row) {
  return Text({{"Comment", row.comment},
               {"CreatedAt", row.created},
               {"CreatedBy", row.created_by},
               {"CreatedSince", AgoOf(row.created)},
               {"ID", row.id},
               {"Size", row.size}},
              kOneLine);
}

std::string TreeLayerJson(const v1::TreeLayer& layer, std::size_t number, const std::string& created_by) {
  Json json = {{"layer", number},
               {"diff_id", layer.diff_id()},
               {"created_by", created_by},
               {"tar_bytes", layer.tar_bytes()},
               {"files", layer.files()},
               {"file_bytes", layer.file_bytes()},
               {"whiteouts", layer.whiteouts()},
               {"biggest", Json::array()}};
  for (const auto& file : layer.biggest())
    json["biggest"].push_back({{"path", file.path()}, {"size_bytes", file.size_bytes()}});
  return Text(json, kOneLine);
}

std::string PullLayerJson(const v1::PullEvent::Layer& layer) {
  std::string state = v1::PullEvent::Layer::State_Name(layer.state());
  std::ranges::transform(state, state.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  Json json = {{"event", "layer"},
               {"digest", layer.digest()},
               {"state", state},
               {"done_bytes", layer.done_bytes()},
               {"total_bytes", layer.total_bytes()}};
  if (!layer.from().empty()) json["from"] = layer.from();
  return Text(json, kOneLine);
}

std::string PullDoneJson(const v1::PullEvent::Done& done) {
  return Text({{"event", "done"},
               {"reference", done.reference()},
               {"manifest_digest", done.manifest_digest()},
               {"config_digest", done.config_digest()},
               {"up_to_date", done.up_to_date()}},
              kOneLine);
}

std::string PushDoneJson(const v1::PushEvent::Done& done) {
  Json json = {{"event", "done"},
               {"reference", done.reference()},
               {"manifest_digest", done.manifest_digest()},
               {"size_bytes", done.size_bytes()},
               {"changed", done.changed()},
               {"notes", Json::array()}};
  for (const std::string& note : done.notes()) json["notes"].push_back(note);
  return Text(json, kOneLine);
}

std::string ErrorJson(const Error& error) {
  return Text({{"event", "error"}, {"code", CodeName(error.code())}, {"message", error.message()}}, kOneLine);
}

Result<std::string> InspectJson(const v1::ImageDetail& image) {
  const Json config = Json::parse(image.config(), nullptr, false);
  if (!config.is_object())
    return Error(Code::kDataLoss, "image " + image.config_digest() + ": its config is not a JSON object");
  const auto text = [&](const char* key) {
    return config.contains(key) && config[key].is_string() ? config[key] : Json("");
  };
  Json json = {
      {"Id", image.config_digest()},
      {"RepoTags", Json::array()},
      {"RepoDigests", Json::array()},
      {"Parent", ""},
      {"Comment", ""},
      {"Created", text("created")},
      {"Author", text("author")},
      {"Config", DockerConfigOf(config)},
      {"Architecture", text("architecture")},
      {"Variant", text("variant")},
      {"Os", text("os")},
      {"Size", image.size_bytes()},
      {"GraphDriver", {{"Name", "varve"}, {"Data", {{"ChainID", "sha256:" + image.chain_id()}}}}},
      {"RootFS", {{"Type", "layers"}, {"Layers", config.value("/rootfs/diff_ids"_json_pointer, Json::array())}}},
      {"Descriptor", {{"digest", image.manifest_digest()}, {"size", image.manifest().size()}}}};
  for (const std::string& tag : image.tags()) json["RepoTags"].push_back(tag);
  for (const std::string& digest : image.repo_digests()) json["RepoDigests"].push_back(digest);
  return Text(json);
}

}  // namespace varve
