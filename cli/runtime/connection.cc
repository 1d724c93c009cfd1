#include "cli/runtime/connection.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mount.h>

#include <cerrno>
#include <utility>

#include "cached/base/fs.h"
#include "cached/base/log.h"
#include "cli/runtime/cni.h"
#include "cli/runtime/endpoint.h"
#include "cli/runtime/etc_files.h"
#include "cli/runtime/firewall.h"
#include "cli/runtime/interfaces.h"
#include "cli/runtime/life.h"
#include "cli/runtime/name_service.h"
#include "cli/runtime/names.h"
#include "cli/runtime/ports.h"
#include "cli/runtime/remove_tree.h"

// A network namespace is made by us, and its only name is a bind mount in the container's private mount namespace, at
// the place that config.json gives. So it goes with the container however that ends, and nothing of it stands in the
// host's mount table. The plugins get it as a descriptor of ours, in /proc.
//
// Ports of the host are held by sockets: the kernel then refuses them to everybody else, and frees them whatever ends
// the holder, which is `varve run` in the foreground and conmon else.
//
// What does outlive a container is what the plugins have noted: the lease of its address, and rules for its ports. For
// these network.json is written first and removed last, and whoever finds it with a container that does not live has to
// undo it: the end of the container, its next start, its removal, and the sweep before the next one is made.

namespace varve {
namespace {

Result<Connection> JoinContainer(const ContainerRoom& room, const std::string& id) {
  VARVE_ASSIGN_OR_RETURN(const Container other, room.Load(id));
  const Result<ProcessId> first = FirstProcessOf(other);
  if (!first.ok()) {
    return Error(Code::kFailedPrecondition,
                 fmt::format("cannot join network of a non running container: {}", other.record.name));
  }
  const std::string path = fmt::format("/proc/{}/ns/net", first->pid);
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError(errno, path);
  return Connection{.network_namespace = std::move(fd), .ports = {}};
}

Status CheckPorts(const NetworkOptions& options) {
  VARVE_ASSIGN_OR_RETURN(const std::vector<PortRequest> requests, RequestedPorts(options));
  if (requests.empty() || options.kind() != NetworkKind::kContainer) return Ok();
  return Error(Code::kInvalidArgument, "conflicting options: port publishing and the container type network mode");
}

std::string HostsOf(const ContainerRoom& room, const std::string& id) { return room.BundleOf(id) + "/hosts"; }
std::string ShortIdOf(const ContainerRecord& record) { return record.id.substr(0, kShortIdDigits); }

// A name that is the short id stands in each line anyway.
std::string NameOf(const ContainerRecord& record) { return record.name == ShortIdOf(record) ? "" : record.name; }

// On the default network a container is known to itself only, as with docker.
bool NamesAreKnown(const Network& network) { return !network.predefined(); }

// Writes the names of a new member into /etc/hosts, and on a network that was made for it those of the others, and its
// own into theirs.
Status Introduce(const ContainerRoom& room, const Member& added) {
  const Network& network = added.endpoint.network;
  const std::string address = AddressText(added.endpoint.address), id = ShortIdOf(added.record);
  std::string own = added.record.options.hostname;
  if (const std::string name = NameOf(added.record); NamesAreKnown(network) && !name.empty())
    own += (own.empty() ? "" : " ") + name;
  VARVE_RETURN_IF_ERROR(SetHost(HostsOf(room, added.record.id), address, own, id));
  if (!NamesAreKnown(network)) return Ok();
  VARVE_ASSIGN_OR_RETURN(const std::vector<Member> members, MembersOf(room, network));
  for (const Member& member : members) {
    if (member.record.id == added.record.id) continue;
    VARVE_RETURN_IF_ERROR(SetHost(HostsOf(room, added.record.id), AddressText(member.endpoint.address),
                                  NameOf(member.record), ShortIdOf(member.record)));
    const std::string hosts = HostsOf(room, member.record.id);
    if (const Status told = SetHost(hosts, address, NameOf(added.record), id); !told.ok())
      LogWarning("{}", told.error().message());  // it may be about to go
  }
  return Ok();
}

// Takes its names from the others, and theirs from it.
Status Dismiss(const ContainerRoom& room, const Network& network, const std::string& id) {
  if (!NamesAreKnown(network)) return Ok();
  VARVE_ASSIGN_OR_RETURN(const std::vector<Member> members, MembersOf(room, network));
  for (const Member& member : members) {
    if (member.record.id == id) continue;
    for (const Status& dropped : {DropHost(HostsOf(room, member.record.id), id.substr(0, kShortIdDigits)),
                                  DropHost(HostsOf(room, id), ShortIdOf(member.record))}) {
      if (!dropped.ok()) LogWarning("{}", dropped.error().message());
    }
  }
  return Ok();
}

Result<Connection> JoinNetwork(const ContainerRoom& room, const ContainerRecord& record) {
  const NetworkRoom networks = NetworksOf(room);
  VARVE_RETURN_IF_ERROR(networks.List());  // the predefined ones are there
  VARVE_ASSIGN_OR_RETURN(const UniqueFd lock, networks.Lock());
  Endpoint endpoint;
  VARVE_ASSIGN_OR_RETURN(endpoint.network, networks.Find(record.options.network.network));
  VARVE_ASSIGN_OR_RETURN(const std::vector<PortRequest> requests, RequestedPorts(record.options.network));
  if (endpoint.network.internal && !requests.empty())
    return Error(Code::kFailedPrecondition, "ports cannot be published: it is internal");
  VARVE_ASSIGN_OR_RETURN(HeldPorts held, HoldPorts(requests));
  endpoint.ports = std::move(held.ports);
  const std::string directory = room.DirectoryOf(record.id);
  VARVE_ASSIGN_OR_RETURN(const Cni cni, Cni::Find(endpoint));
  Connection connection{.network_namespace = {}, .ports = std::move(held.sockets)};
  VARVE_ASSIGN_OR_RETURN(connection.network_namespace, NewNetworkNamespace());
  VARVE_RETURN_IF_ERROR(WriteEndpoint(directory, endpoint));
  if (!InterfaceExists(endpoint.network.bridge())) VARVE_RETURN_IF_ERROR(SetRules(endpoint.network));
  const std::string path = fmt::format("/proc/{}/fd/{}", ::getpid(), connection.network_namespace.get());
  VARVE_RETURN_IF_ERROR(cni.Connect(endpoint, networks.leases(), record.id, path));
  VARVE_RETURN_IF_ERROR(WriteEndpoint(directory, endpoint));
  VARVE_RETURN_IF_ERROR(Introduce(room, {record, endpoint}));
  return connection;
}

// What the host has of it.
Status TakeDown(const Network& network) {
  if (network.driver != "bridge" || !InterfaceExists(network.bridge())) return Ok();
  // The bridge first: rules without one do nothing, and the next start sets them anew. A bridge without rules is one
  // that the next start takes for complete.
  VARVE_RETURN_IF_ERROR(RemoveBridge(network.bridge()));
  return DropRules(network);
}

}  // namespace

NetworkRoom NetworksOf(const ContainerRoom& room) { return NetworkRoom(room.path() + "/networks"); }

Result<NetworkOptions> ResolveNetwork(const ContainerRoom& room, NetworkOptions options,
                                      const std::vector<std::string>& exposed_by_image) {
  VARVE_RETURN_IF_ERROR(CheckNameOptions(options));
  std::string gateway = options.kind() == NetworkKind::kHost ? "127.0.0.1" : "";
  if (options.kind() == NetworkKind::kContainer) {
    VARVE_ASSIGN_OR_RETURN(const Container other, room.Find(options.container()));
    options.network = "container:" + other.record.id;
  } else if (options.kind() == NetworkKind::kNamed) {
    VARVE_ASSIGN_OR_RETURN(const Network network, NetworksOf(room).Find(options.network));
    options.network = network.name;
    gateway = AddressText(network.gateway);
  }
  for (std::string& host : options.add_hosts) {
    VARVE_ASSIGN_OR_RETURN(host, ResolveHost(host, gateway));
  }
  VARVE_ASSIGN_OR_RETURN(options.expose, ExposedPorts(options.expose, exposed_by_image));
  VARVE_RETURN_IF_ERROR(CheckPorts(options));
  return options;
}

Result<Connection> Connect(const ContainerRoom& room, const ContainerRecord& record) {
  const NetworkOptions& options = record.options.network;
  switch (options.kind()) {
    case NetworkKind::kHost:
    case NetworkKind::kNone:  // runc makes it
      return Connection{};
    case NetworkKind::kContainer:
      return JoinContainer(room, options.container());
    case NetworkKind::kNamed:
      return JoinNetwork(room, record).In("network " + options.network);
  }
  return Error(Code::kInternal, "an unknown kind of network");
}

Status ShowNamespace(const Connection& connection, const std::string& bundle) {
  if (!connection.network_namespace.valid()) return Ok();
  const std::string source = fmt::format("/proc/self/fd/{}", connection.network_namespace.get());
  const std::string target = bundle + kNamespaceInBundle;
  if (::mount(source.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) != 0) return ErrnoError(errno, target);
  return Ok();
}

Status Disconnect(const ContainerRoom& room, const std::string& id) {
  const std::string directory = room.DirectoryOf(id);
  VARVE_ASSIGN_OR_RETURN(const std::optional<Endpoint> endpoint, ReadEndpoint(directory));
  if (!endpoint) return Ok();
  const NetworkRoom networks = NetworksOf(room);
  VARVE_ASSIGN_OR_RETURN(const Cni cni, Cni::Find(*endpoint));
  VARVE_ASSIGN_OR_RETURN(const UniqueFd lock, networks.Lock());
  VARVE_RETURN_IF_ERROR(cni.Disconnect(*endpoint, networks.leases(), id).In("network " + endpoint->network.name));
  VARVE_RETURN_IF_ERROR(Dismiss(room, endpoint->network, id));
  return ForgetEndpoint(directory);
}

Result<std::vector<Member>> MembersOf(const ContainerRoom& room, const Network& network) {
  VARVE_ASSIGN_OR_RETURN(const std::vector<Container> containers, room.List());
  std::vector<Member> members;
  for (const Container& container : containers) {
    VARVE_ASSIGN_OR_RETURN(const std::optional<Endpoint> endpoint, ReadEndpoint(room.DirectoryOf(container.record.id)));
    if (endpoint && endpoint->network.id == network.id && endpoint->address != 0)
      members.push_back({container.record, *endpoint});
  }
  return members;
}

Status RemoveNetwork(const ContainerRoom& room, const std::string& name) {
  VARVE_RETURN_IF_ERROR(room.Sweep());
  const NetworkRoom networks = NetworksOf(room);
  VARVE_RETURN_IF_ERROR(networks.List());  // the predefined ones are there
  VARVE_ASSIGN_OR_RETURN(const UniqueFd lock, networks.Lock());
  VARVE_ASSIGN_OR_RETURN(const Network network, networks.Find(name));
  VARVE_ASSIGN_OR_RETURN(const std::vector<Member> members, MembersOf(room, network));
  if (!members.empty()) {
    return Error(Code::kFailedPrecondition, fmt::format("network {} is in use by container {}: stop that first",
                                                        network.name, members.front().record.name));
  }
  if (!network.predefined()) {  // its file last: until then all of this can be done again
    VARVE_RETURN_IF_ERROR(TakeDown(network));
    VARVE_RETURN_IF_ERROR(RemoveTree(networks.leases() + "/" + network.bridge()));
  }
  return networks.Remove(network);
}

Status TakeDownNetworks(const ContainerRoom& room) {
  const NetworkRoom networks = NetworksOf(room);
  if (!networks.Exists()) return Ok();
  VARVE_ASSIGN_OR_RETURN(const std::vector<Network> all, networks.List());
  VARVE_ASSIGN_OR_RETURN(const UniqueFd lock, networks.Lock());
  for (const Network& network : all) {
    VARVE_RETURN_IF_ERROR(TakeDown(network));
  }
  return Ok();
}

}  // namespace varve
