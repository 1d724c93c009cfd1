#include <fmt/core.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cached/base/bytes.h"
#include "cached/base/fs.h"
#include "cli/runtime/endpoint.h"

namespace varve {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PublishedPort, host_address, host_port, container_port, protocol)

namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;
constexpr std::uint64_t kEndpointBytesMax = 16 << 20;

std::string PathIn(const std::string& directory) { return directory + "/network.json"; }

Result<Endpoint> Parse(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    if (const int version = json.at("version").get<int>(); version > kVersion)
      return Error(Code::kFailedPrecondition, fmt::format("version {} is of a newer varve", version));
    Endpoint endpoint;
    VARVE_ASSIGN_OR_RETURN(endpoint.network, ParseNetwork(json.at("network").get<std::string>()));
    VARVE_ASSIGN_OR_RETURN(endpoint.address, ParseAddress(json.at("address").get<std::string>()));
    endpoint.mac = json.at("mac").get<std::string>();
    endpoint.ports = json.at("ports").get<std::vector<PublishedPort>>();
    return endpoint;
  } catch (const Json::exception& exception) {
    return Error(Code::kDataLoss, fmt::format("damaged: {}", exception.what()));
  }
}

}  // namespace

bool HasEndpoint(const std::string& directory) { return ::access(PathIn(directory).c_str(), F_OK) == 0; }

Result<std::optional<Endpoint>> ReadEndpoint(const std::string& directory) {
  const std::string path = PathIn(directory);
  const Result<Bytes> text = ReadWholeFile(Fs::Real(), path, kEndpointBytesMax);
  if (!text.ok() && text.error().code() == Code::kNotFound) return std::optional<Endpoint>();
  if (!text.ok()) return text.error();
  VARVE_ASSIGN_OR_RETURN(Endpoint endpoint, Parse(AsText(*text)).In(path));
  return std::optional(std::move(endpoint));
}

// Whole or not at all, but not synced: what a power failure takes, rules of the firewall and interfaces, it takes too.
Status WriteEndpoint(const std::string& directory, const Endpoint& endpoint) {
  const Json json = {{"version", kVersion},
                     {"network", NetworkJson(endpoint.network)},
                     {"address", AddressText(endpoint.address)},
                     {"mac", endpoint.mac},
                     {"ports", endpoint.ports}};
  const std::string path = PathIn(directory), fresh = path + ".new";
  {
    VARVE_ASSIGN_OR_RETURN(const auto file, Fs::Real().Open(fresh, OpenMode::kCreateTruncate));
    VARVE_RETURN_IF_ERROR(file->WriteAt(0, AsBytes(json.dump(2))));
  }
  return Fs::Real().Rename(fresh, path);
}

Status ForgetEndpoint(const std::string& directory) { return Fs::Real().Remove(PathIn(directory)); }

}  // namespace varve
