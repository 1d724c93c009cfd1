#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>

#include "cached/base/bytes.h"
#include "cached/base/fs.h"
#include "cli/runtime/names.h"
#include "cli/runtime/networks.h"
#include "cli/runtime/time_text.h"

namespace varve {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr std::uint64_t kNetworkBytesMax = 1 << 20;
constexpr std::uint64_t kRouteTableBytesMax = 16 << 20;
constexpr std::string_view kFileEnd = ".json";

// Where subnets come from that nobody names: docker, podman and Kubernetes take theirs elsewhere.
constexpr Ipv4Range kPool{.first = 10u << 24 | 64u << 16, .prefix = 12};
constexpr int kSubnetPrefix = 20;  // 4,093 containers
constexpr std::uint32_t kSubnets = 1u << (kSubnetPrefix - kPool.prefix);
// Room for the network's own address, the gateway, a container, and the broadcast address.
constexpr int kLongestPrefix = 30, kShortestPrefix = 8;

Result<std::vector<Ipv4Range>> RoutesOfHost() {
  VARVE_ASSIGN_OR_RETURN(const auto file, Fs::Real().Open("/proc/net/route", OpenMode::kRead));
  std::string table;
  for (std::size_t n = 1; n > 0 && table.size() < kRouteTableBytesMax;) {  // it has no size to go by
    std::array<std::byte, 4096> buffer;
    VARVE_ASSIGN_OR_RETURN(n, file->ReadAt(table.size(), buffer));
    table += AsText(ByteSpan(buffer).first(n));
  }
  return ParseRoutes(table);
}

// What the addresses of a network are to be.
Result<Network> WithAddresses(Network network, const NewNetwork& wanted) {
  const Ipv4Range& subnet = network.subnet;
  if (subnet.prefix < kShortestPrefix || subnet.prefix > kLongestPrefix) {
    return Error(Code::kInvalidArgument, fmt::format("subnet {}: its prefix is to be from {} to {}", RangeText(subnet),
                                                     kShortestPrefix, kLongestPrefix));
  }
  network.gateway = wanted.gateway.value_or(subnet.first + 1);
  if (!subnet.Contains(network.gateway) || network.gateway == subnet.first || network.gateway == subnet.last()) {
    return Error(Code::kInvalidArgument, fmt::format("the gateway {} is no address for a host of the subnet {}",
                                                     AddressText(network.gateway), RangeText(subnet)));
  }
  return network;
}

Network Fresh(std::string name, const char* driver) {
  return {.id = NewId(),
          .name = std::move(name),
          .driver = driver,
          .created = TimeText(std::chrono::system_clock::now()),
          .subnet = {},
          .gateway = 0,
          .internal = false};
}

}  // namespace

Result<Ipv4Range> ChooseSubnet(const std::vector<Ipv4Range>& taken, std::uint32_t first) {
  for (std::uint32_t n = 0; n < kSubnets; ++n) {
    const std::uint32_t place = (first + n) % kSubnets;
    const Ipv4Range subnet{.first = kPool.first + (place << (32 - kSubnetPrefix)), .prefix = kSubnetPrefix};
    if (std::ranges::none_of(taken, [&](const Ipv4Range& range) { return range.Overlaps(subnet); })) return subnet;
  }
  return Error(Code::kResourceExhausted,
               fmt::format("no subnet of {} is free: name another one by --subnet", RangeText(kPool)));
}

std::string NetworkJson(const Network& network) {
  Json json = {{"version", kVersion},
               {"id", network.id},
               {"name", network.name},
               {"driver", network.driver},
               {"created", network.created}};
  if (network.driver == "bridge") {
    json["subnet"] = RangeText(network.subnet);
    json["gateway"] = AddressText(network.gateway);
    json["internal"] = network.internal;
  }
  return json.dump(2);
}

Result<Network> ParseNetwork(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    if (const int version = json.at("version").get<int>(); version > kVersion)
      return Error(Code::kFailedPrecondition, fmt::format("version {} is of a newer varve", version));
    Network network{.id = json.at("id").get<std::string>(),
                    .name = json.at("name").get<std::string>(),
                    .driver = json.at("driver").get<std::string>(),
                    .created = json.at("created").get<std::string>(),
                    .subnet = {},
                    .gateway = 0,
                    .internal = json.value("internal", false)};
    if (network.id.size() != kIdDigits) return Error(Code::kDataLoss, "damaged: its id is none");
    if (network.driver != "bridge") return network;
    VARVE_ASSIGN_OR_RETURN(network.subnet, ParseRange(json.at("subnet").get<std::string>()));
    VARVE_ASSIGN_OR_RETURN(network.gateway, ParseAddress(json.at("gateway").get<std::string>()));
    return network;
  } catch (const Json::exception& exception) {
    return Error(Code::kDataLoss, fmt::format("damaged: {}", exception.what()));
  }
}

bool NetworkRoom::Exists() const { return ::access(directory_.c_str(), F_OK) == 0; }

Result<UniqueFd> NetworkRoom::Lock() const {
  VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(directory_));
  return LockFile(directory_ + "/lock", LOCK_EX);
}

Result<std::vector<Network>> NetworkRoom::Read() const {
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, Fs::Real().List(directory_));
  std::vector<Network> networks;
  for (const std::string& name : names) {
    if (!name.ends_with(kFileEnd)) continue;
    const std::string path = directory_ + "/" + name;
    VARVE_ASSIGN_OR_RETURN(const Bytes json, ReadWholeFile(Fs::Real(), path, kNetworkBytesMax));
    VARVE_ASSIGN_OR_RETURN(Network network, ParseNetwork(AsText(json)).In(path));
    networks.push_back(std::move(network));
  }
  return networks;
}

Status NetworkRoom::MakePredefined() const {
  VARVE_ASSIGN_OR_RETURN(const UniqueFd lock, Lock());
  VARVE_ASSIGN_OR_RETURN(const std::vector<Network> networks, Read());
  for (const Network& network : {Fresh("host", "host"), Fresh("none", "null")}) {
    if (std::ranges::find(networks, network.name, &Network::name) != networks.end()) continue;
    const std::string path = fmt::format("{}/{}{}", directory_, network.name, kFileEnd);
    VARVE_RETURN_IF_ERROR(WriteFileAtomically(Fs::Real(), path, AsBytes(NetworkJson(network))));
  }
  if (std::ranges::find(networks, kDefaultNetwork, &Network::name) != networks.end()) return Ok();
  const Result<Network> made = Make({.name = kDefaultNetwork, .subnet = {}, .gateway = {}, .internal = false});
  return made.ok() ? Ok() : Status(made.error());
}

Result<std::vector<Network>> NetworkRoom::List() const {
  constexpr std::size_t kPredefined = 3;
  Result<std::vector<Network>> networks = Read();
  const auto predefined = [](const Network& network) { return network.predefined(); };
  if (networks.ok() && std::ranges::count_if(*networks, predefined) == kPredefined) return networks;
  if (!networks.ok() && networks.error().code() != Code::kNotFound) return networks;
  VARVE_RETURN_IF_ERROR(MakePredefined());
  return Read();
}

Result<Network> NetworkRoom::Find(const std::string& name) const {
  VARVE_ASSIGN_OR_RETURN(const std::vector<Network> networks, List());
  const auto named = std::ranges::find(networks, name, &Network::name);
  if (named != networks.end()) return *named;
  std::vector<Network> matches;
  for (const Network& network : networks) {
    if (!name.empty() && network.id.starts_with(name)) matches.push_back(network);
  }
  if (matches.size() == 1) return matches.front();
  if (matches.empty()) return Error(Code::kNotFound, fmt::format("network {} not found", name));
  return Error(Code::kInvalidArgument,
               fmt::format("{} is the beginning of the ids of {} networks: give more of it", name, matches.size()));
}

// Needs the lock.
Result<Network> NetworkRoom::Make(const NewNetwork& wanted) const {
  VARVE_ASSIGN_OR_RETURN(const std::vector<Network> others, Read());
  std::vector<Ipv4Range> taken;
  for (const Network& other : others) {
    if (other.name == wanted.name)
      return Error(Code::kAlreadyExists, fmt::format("network with name {} already exists", wanted.name));
    if (other.driver != "bridge") continue;
    taken.push_back(other.subnet);
    if (wanted.subnet && wanted.subnet->Overlaps(other.subnet)) {
      return Error(Code::kInvalidArgument, fmt::format("subnet {} overlaps with {} of network {}",
                                                       RangeText(*wanted.subnet), RangeText(other.subnet), other.name));
    }
  }
  Network network = Fresh(wanted.name, "bridge");
  network.internal = wanted.internal;
  if (wanted.subnet) {
    network.subnet = *wanted.subnet;
  } else {
    VARVE_ASSIGN_OR_RETURN(const std::vector<Ipv4Range> routes, RoutesOfHost());
    taken.insert(taken.end(), routes.begin(), routes.end());
    // Two roots that make theirs in one moment do not see each other's: they hardly ever begin at the same one.
    std::uint32_t first = 0;
    std::from_chars(network.id.data(), network.id.data() + 4, first, 16);
    VARVE_ASSIGN_OR_RETURN(network.subnet, ChooseSubnet(taken, first));
  }
  VARVE_ASSIGN_OR_RETURN(network, WithAddresses(std::move(network), wanted));
  const std::string path = fmt::format("{}/{}{}", directory_, network.name, kFileEnd);
  VARVE_RETURN_IF_ERROR(WriteFileAtomically(Fs::Real(), path, AsBytes(NetworkJson(network))));
  return network;
}

Result<Network> NetworkRoom::Create(const NewNetwork& wanted) const {
  VARVE_RETURN_IF_ERROR(CheckName("network", wanted.name));
  VARVE_RETURN_IF_ERROR(List());  // the predefined ones are there
  VARVE_ASSIGN_OR_RETURN(const UniqueFd lock, Lock());
  return Make(wanted);
}

Status NetworkRoom::Remove(const Network& network) const {
  if (network.predefined())
    return Error(Code::kPermissionDenied,
                 fmt::format("{} is a predefined network and cannot be removed", network.name));
  return Fs::Real().Remove(fmt::format("{}/{}{}", directory_, network.name, kFileEnd));
}

}  // namespace varve
