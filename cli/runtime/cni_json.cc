#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cached/base/bytes.h"
#include "cached/base/fd.h"
#include "cli/runtime/cni.h"
#include "cli/runtime/programs.h"

namespace varve {
namespace {

using Json = nlohmann::json;

constexpr const char* kCniVersion = "0.4.0";
constexpr const char* kInterface = "eth0";
constexpr const char* kPluginPath = "/usr/lib/cni:/opt/cni/bin:/usr/libexec/cni";  // Debian's, upstream's, Fedora's

std::string PluginPath() {
  const char* path = std::getenv("CNI_PATH");  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  return path == nullptr || *path == '\0' ? kPluginPath : path;
}

Result<std::string> FindPlugin(const std::string& name) {
  std::string found = FindIn(PluginPath(), name);
  if (!found.empty()) return found;
  return Error(Code::kFailedPrecondition,
               fmt::format("the network plugin {} is not in {}: install it (Debian: apt-get install "
                           "containernetworking-plugins), or use --network host",
                           name, PluginPath()));
}

// A file in memory that reads `text` from its beginning.
Result<UniqueFd> FileOf(const std::string& text) {
  UniqueFd file(::memfd_create("cni", MFD_CLOEXEC));
  if (!file.valid()) return ErrnoError(errno, "memfd");
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::lseek(file.get(), 0, SEEK_SET) != 0)
    return ErrnoError(errno, "memfd");
  return file;
}

struct Call {
  const std::string& plugin;  // its path
  const char* command;        // ADD or DEL
  const std::string& container_id;
  const std::string& network_namespace;  // empty: it is gone
};

// What the plugin answers, parsed; nothing for a DEL. Its standard error is ours.
Result<Json> Execute(const Call& call, const Json& configuration) {
  VARVE_ASSIGN_OR_RETURN(const UniqueFd input, FileOf(configuration.dump()));
  std::vector<std::string> environment = {
      fmt::format("CNI_COMMAND={}", call.command), fmt::format("CNI_CONTAINERID={}", call.container_id),
      fmt::format("CNI_NETNS={}", call.network_namespace), fmt::format("CNI_IFNAME={}", kInterface)};
  if (std::getenv("CNI_PATH") == nullptr)  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
    environment.push_back(fmt::format("CNI_PATH={}", kPluginPath));
  VARVE_ASSIGN_OR_RETURN(const Said said,
                         RunProgram({.arguments = {call.plugin},
                                     .environment = std::move(environment),
                                     .descriptors = {{input.get(), STDIN_FILENO}, {STDERR_FILENO, STDERR_FILENO}}}));
  const Json answer = Json::parse(said.text, nullptr, false);
  if (said.exit_code == 0) return answer;
  const bool says_why = answer.is_object() && answer.contains("msg") && answer["msg"].is_string();
  return Error(Code::kFailedPrecondition, fmt::format("{} {} exits {}: {}", call.plugin, call.command, said.exit_code,
                                                      says_why ? answer["msg"].get<std::string>() : said.text));
}

Json BridgeConfiguration(const Network& network, const std::string& leases) {
  const Json range = {{"subnet", RangeText(network.subnet)}, {"gateway", AddressText(network.gateway)}};
  Json addresses = {{"type", "host-local"}, {"dataDir", leases}, {"ranges", Json::array({Json::array({range})})}};
  if (!network.internal) addresses["routes"] = Json::array({{{"dst", "0.0.0.0/0"}}});
  return {{"cniVersion", kCniVersion}, {"name", network.bridge()}, {"type", "bridge"}, {"bridge", network.bridge()},
          {"isGateway", true},         {"hairpinMode", true},      {"ipam", addresses}};
}

Json PortConfiguration(const Endpoint& endpoint) {
  Json ports = Json::array();
  for (const PublishedPort& port : endpoint.ports) {
    ports.push_back(
        {{"hostPort", port.host_port}, {"containerPort", port.container_port}, {"protocol", port.protocol}});
    if (port.host_address != "0.0.0.0") ports.back()["hostIP"] = port.host_address;
  }
  return {{"cniVersion", kCniVersion},
          {"name", endpoint.network.bridge()},
          {"type", "portmap"},
          {"capabilities", {{"portMappings", true}}},
          {"runtimeConfig", {{"portMappings", ports}}}};
}

// The address and the MAC address of the interface inside.
Status TakeOver(const Json& answer, Endpoint& endpoint) {
  try {
    const std::string address = answer.at("ips").at(0).at("address").get<std::string>();
    VARVE_ASSIGN_OR_RETURN(endpoint.address, ParseAddress(address.substr(0, address.find('/'))));
    for (const Json& interface : answer.at("interfaces")) {
      if (!interface.value("sandbox", "").empty()) endpoint.mac = interface.value("mac", "");
    }
    return Ok();
  } catch (const Json::exception& exception) {
    return Error(Code::kInternal,
                 fmt::format("the answer of the plugin bridge is not understood: {}", exception.what()));
  }
}

}  // namespace

Result<Cni> Cni::Find(const Endpoint& endpoint) {
  VARVE_ASSIGN_OR_RETURN(const std::string bridge, FindPlugin("bridge"));
  VARVE_RETURN_IF_ERROR(FindPlugin("host-local"));
  if (endpoint.ports.empty()) return Cni(bridge, "");
  VARVE_ASSIGN_OR_RETURN(const std::string portmap, FindPlugin("portmap"));
  return Cni(bridge, portmap);
}

Status Cni::Connect(Endpoint& endpoint, const std::string& leases, const std::string& id,
                    const std::string& path) const {
  VARVE_ASSIGN_OR_RETURN(const Json answer,
                         Execute({bridge_, "ADD", id, path}, BridgeConfiguration(endpoint.network, leases)));
  VARVE_RETURN_IF_ERROR(TakeOver(answer, endpoint));
  if (endpoint.ports.empty()) return Ok();
  Json configuration = PortConfiguration(endpoint);
  configuration["prevResult"] = answer;
  const Result<Json> published = Execute({portmap_, "ADD", id, path}, configuration);
  return published.ok() ? Ok() : Status(published.error());
}

Status Cni::Disconnect(const Endpoint& endpoint, const std::string& leases, const std::string& id) const {
  if (!endpoint.ports.empty()) VARVE_RETURN_IF_ERROR(Execute({portmap_, "DEL", id, ""}, PortConfiguration(endpoint)));
  // Without a namespace this gives back the address. The interfaces go with the namespace.
  const Result<Json> done = Execute({bridge_, "DEL", id, ""}, BridgeConfiguration(endpoint.network, leases));
  return done.ok() ? Ok() : Status(done.error());
}

}  // namespace varve
