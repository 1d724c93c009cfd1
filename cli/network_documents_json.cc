#include "cli/network_documents_json.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <tuple>

#include "cli/network_documents.h"
#include "cli/runtime/ports.h"

namespace varve {
namespace {

using Json = nlohmann::ordered_json;

std::string PortName(const PublishedPort& port) { return fmt::format("{}/{}", port.container_port, port.protocol); }

Json BindingOf(const std::string& address, const std::string& port) {
  return {{"HostIp", address}, {"HostPort", port}};
}

// All that is exposed or published, with where.
Json PortsOf(const NetworkOptions& options, const std::optional<Endpoint>& endpoint) {
  Json ports = Json::object();
  if (!endpoint) return ports;
  for (const std::string& name : options.expose) ports[name] = nullptr;
  for (const PublishedPort& port : endpoint->ports)
    ports[PortName(port)].push_back(BindingOf(port.host_address, std::to_string(port.host_port)));
  return ports;
}

// A port that is only exposed has no host port.
struct ShownPorts {
  PublishedPort first;
  int count = 1;

  bool GoesOnWith(const PublishedPort& next) const {
    return next.protocol == first.protocol && next.host_address == first.host_address &&
           next.container_port == first.container_port + count &&
           next.host_port == (first.host_port == 0 ? 0 : first.host_port + count);
  }
  std::string ToString() const {
    const auto range = [&](int from) {
      return count == 1 ? std::to_string(from) : fmt::format("{}-{}", from, from + count - 1);
    };
    std::string inside = fmt::format("{}/{}", range(first.container_port), first.protocol);
    if (first.host_port == 0) return inside;
    return fmt::format("{}:{}->{}", first.host_address, range(first.host_port), inside);
  }
};

}  // namespace

std::string PortsText(const NetworkOptions& options, const std::optional<Endpoint>& endpoint) {
  if (!endpoint) return "";
  std::vector<PublishedPort> ports = endpoint->ports;
  for (const std::string& name : options.expose) {
    const auto named = [&](const PublishedPort& port) { return PortName(port) == name; };
    if (std::ranges::any_of(endpoint->ports, named)) continue;
    ports.push_back({"", 0, static_cast<std::uint16_t>(std::stoi(name)), name.substr(name.find('/') + 1)});
  }
  std::ranges::sort(ports, {}, [](const PublishedPort& port) {
    return std::tuple(port.host_port == 0, port.host_address, port.protocol, port.container_port, port.host_port);
  });
  std::vector<ShownPorts> shown;
  for (const PublishedPort& port : ports) {
    if (!shown.empty() && shown.back().GoesOnWith(port)) {
      ++shown.back().count;
    } else {
      shown.push_back({port});
    }
  }
  std::vector<std::string> texts;
  texts.reserve(shown.size());
  for (const ShownPorts& of : shown) texts.push_back(of.ToString());
  return fmt::format("{}", fmt::join(texts, ", "));
}

Json NetworkSettingsOf(const NetworkOptions& options, const std::optional<Endpoint>& endpoint) {
  const bool connected = endpoint && endpoint->address != 0;
  const Json address = {{"Gateway", connected ? AddressText(endpoint->network.gateway) : ""},
                        {"IPAddress", connected ? AddressText(endpoint->address) : ""},
                        {"IPPrefixLen", connected ? endpoint->network.subnet.prefix : 0},
                        {"MacAddress", connected ? endpoint->mac : ""}};
  Json settings = {{"Ports", PortsOf(options, endpoint)}};
  settings.update(address);
  settings["Networks"] = Json::object();
  if (options.kind() == NetworkKind::kContainer) return settings;
  Json network = {{"NetworkID", endpoint ? endpoint->network.id : ""}};
  network.update(address);
  settings["Networks"][options.network] = network;
  return settings;
}

// The options were checked when the container was made.
Json PortBindingsOf(const NetworkOptions& options) {
  Json bindings = Json::object();
  for (const std::string& text : options.publish) {
    const Result<std::vector<PortRequest>> requests = ParsePublish(text);
    if (!requests.ok()) continue;
    for (const PortRequest& request : *requests) {
      const std::string port = request.host_first == 0 ? ""
                               : request.host_first == request.host_last
                                   ? std::to_string(request.host_first)
                                   : fmt::format("{}-{}", request.host_first, request.host_last);
      bindings[fmt::format("{}/{}", request.container_port, request.protocol)].push_back(
          BindingOf(request.host_address, port));
    }
  }
  return bindings;
}

Json ExposedPortsOf(const NetworkOptions& options) {
  Json ports = PortBindingsOf(options);
  for (Json& port : ports) port = Json::object();
  for (const std::string& name : options.expose) ports[name] = Json::object();
  return ports;
}

std::string NetworkRowJson(const Network& network, const std::string& id) {
  return Json{{"CreatedAt", network.created},
              {"Driver", network.driver},
              {"ID", id},
              {"Internal", network.internal ? "true" : "false"},
              {"Name", network.name},
              {"Scope", "local"}}
      .dump();
}

std::string InspectNetworkJson(const Network& network, const std::vector<Member>& members) {
  constexpr int kIndent = 4;
  Json addresses = Json::array(), containers = Json::object();
  if (network.driver == "bridge")
    addresses.push_back({{"Subnet", RangeText(network.subnet)}, {"Gateway", AddressText(network.gateway)}});
  for (const Member& member : members) {
    containers[member.record.id] = {
        {"Name", member.record.name},
        {"MacAddress", member.endpoint.mac},
        {"IPv4Address", fmt::format("{}/{}", AddressText(member.endpoint.address), network.subnet.prefix)}};
  }
  Json json = {{"Name", network.name},
               {"Id", network.id},
               {"Created", network.created},
               {"Scope", "local"},
               {"Driver", network.driver},
               {"EnableIPv6", false},
               {"IPAM", {{"Driver", "default"}, {"Config", addresses}}},
               {"Internal", network.internal},
               {"Containers", containers},
               {"Options", Json::object()},
               {"Labels", Json::object()}};
  if (network.driver == "bridge") json["Options"]["com.docker.network.bridge.name"] = network.bridge();
  return json.dump(kIndent);
}

}  // namespace varve
