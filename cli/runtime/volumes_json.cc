#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "cli/runtime/volumes.h"

namespace varve {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Volume, name, created, labels, anonymous)

namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;

}  // namespace

std::string VolumeRecordJson(const Volume& volume) {
  Json json = volume;
  json["version"] = kVersion;
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

Result<Volume> ParseVolumeRecord(ByteSpan json) {
  try {
    const Json parsed = Json::parse(AsText(json));
    if (const int version = parsed.at("version").get<int>(); version > kVersion)
      return Error(Code::kFailedPrecondition, fmt::format("version {} is of a newer varve", version));
    return parsed.get<Volume>();
  } catch (const Json::exception& exception) {
    return Error(Code::kDataLoss, fmt::format("damaged: {}", exception.what()));
  }
}

}  // namespace varve
