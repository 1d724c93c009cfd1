#include <fmt/core.h>

#include "cli/cli.h"
#include "cli/documents.h"
#include "cli/listing/filters.h"
#include "cli/listing/print.h"
#include "cli/listing/rows.h"
#include "cli/network_documents.h"
#include "cli/runtime/connection.h"

namespace varve {
namespace {

struct NetworkCommandOptions {
  std::vector<std::string> names;
  std::string subnet;
  std::string gateway;
  std::string driver = "bridge";
  bool internal = false;
  bool quiet = false;
  bool no_trunc = false;
  std::vector<std::string> filters;
  std::string format;
};

ContainerRoom RoomOf(const Session& session) { return ContainerRoom(session.paths().containers()); }

Result<int> RunLs(Session& session, const NetworkCommandOptions& options) {
  VARVE_ASSIGN_OR_RETURN(const Filters filters, Filters::Parse(options.filters, {"id", "name", "driver"}));
  VARVE_ASSIGN_OR_RETURN(const std::vector<Network> networks, NetworksOf(RoomOf(session)).List());
  std::vector<std::string> rows;
  for (const Network& network : networks) {
    if (filters.Pass("id", [&](const std::string& id) { return network.id.starts_with(id); }) &&
        filters.PassName(network.name) &&
        filters.Pass("driver", [&](const std::string& driver) { return network.driver == driver; }))
      rows.push_back(NetworkRowJson(network, options.no_trunc ? network.id : ShortId(network.id)));
  }
  VARVE_ASSIGN_OR_RETURN(const std::string text, FormatRows(options.quiet ? "{{.ID}}" : options.format,
                                                            "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
                                                            {{"ID", "NETWORK ID"},
                                                             {"Name", "NAME"},
                                                             {"Driver", "DRIVER"},
                                                             {"Scope", "SCOPE"},
                                                             {"Internal", "INTERNAL"},
                                                             {"CreatedAt", "CREATED AT"}},
                                                            rows));
  fmt::print("{}", text);
  return 0;
}

Result<int> RunCreate(Session& session, const NetworkCommandOptions& options) {
  NewNetwork wanted{.name = options.names[0], .subnet = {}, .gateway = {}, .internal = options.internal};
  if (!options.subnet.empty()) {
    VARVE_ASSIGN_OR_RETURN(wanted.subnet, ParseRange(options.subnet));
  }
  if (!options.gateway.empty()) {
    if (!wanted.subnet) return Error(Code::kInvalidArgument, "--gateway needs --subnet");
    VARVE_ASSIGN_OR_RETURN(wanted.gateway, ParseAddress(options.gateway));
  }
  VARVE_ASSIGN_OR_RETURN(const Network network, NetworksOf(RoomOf(session)).Create(wanted));
  fmt::print("{}\n", network.id);
  return 0;
}

Result<int> RunRm(Session& session, const NetworkCommandOptions& options) {
  return ForEach(options.names, [&](const std::string& name) -> Status {
    VARVE_RETURN_IF_ERROR(RemoveNetwork(RoomOf(session), name));
    fmt::print("{}\n", name);
    return Ok();
  });
}

Result<int> RunInspect(Session& session, const NetworkCommandOptions& options) {
  const ContainerRoom room = RoomOf(session);
  std::vector<std::string> objects;
  const int exit_code = ForEach(options.names, [&](const std::string& name) -> Status {
    VARVE_ASSIGN_OR_RETURN(const Network network, NetworksOf(room).Find(name));
    VARVE_ASSIGN_OR_RETURN(const std::vector<Member> members, MembersOf(room, network));
    objects.push_back(InspectNetworkJson(network, members));
    return Ok();
  });
  VARVE_ASSIGN_OR_RETURN(const std::string text, FormatDocuments(options.format, objects));
  fmt::print("{}", text);
  return exit_code;
}

}  // namespace

void AddNetwork(Cli& cli) {
  const auto options = [] { return std::make_shared<NetworkCommandOptions>(); };
  CLI::App* network = cli.app.add_subcommand("network", "Networks that containers are connected with");
  network->require_subcommand(1);
  auto list = options();
  CLI::App* command = network->add_subcommand("ls", "List networks");
  command->add_flag("-q,--quiet", list->quiet, "print ids only");
  command->add_flag("--no-trunc", list->no_trunc, "print whole ids");
  command->add_option("-f,--filter", list->filters, "id=, name=, driver=");
  command->add_option("--format", list->format, kFormatHelp);
  SetAction(cli, command, list, RunLs);
  auto create = options();
  command = network->add_subcommand("create", "Make a network, and print its id");
  command->add_option("NEW_NAME", create->names, "its name")->required()->expected(1);
  command->add_option("--subnet", create->subnet, "such as 10.1.2.0/24 (one that is free)");
  command->add_option("--gateway", create->gateway, "the host's address in it (the first)");
  command->add_flag("--internal", create->internal, "nothing goes through the host to elsewhere");
  command->add_option("-d,--driver", create->driver, "bridge")->check(CLI::IsMember({"bridge"}));
  SetAction(cli, command, create, RunCreate);
  auto remove = options();
  command = network->add_subcommand("rm", "Remove networks that no container is on");
  command->add_option("NETWORK", remove->names, "names, ids or beginnings of ids")->required();
  SetAction(cli, command, remove, RunRm);
  auto inspect = options();
  command = network->add_subcommand("inspect", "Show networks as docker-shaped JSON");
  command->add_option("NETWORK", inspect->names, "names, ids or beginnings of ids")->required();
  command->add_option("-f,--format", inspect->format, kDocumentsFormatHelp);
  SetAction(cli, command, inspect, RunInspect);
}

}  // namespace varve
