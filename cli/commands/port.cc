#include <fmt/core.h>

#include "cli/cli.h"
#include "cli/runtime/endpoint.h"
#include "cli/runtime/room.h"

namespace varve {
namespace {

struct PortOptions {
  std::string container;
  std::string port;
};

Result<int> RunPort(Session& session, const PortOptions& options) {
  const ContainerRoom room(session.paths().containers());
  VARVE_ASSIGN_OR_RETURN(const Container container, room.Find(options.container));
  VARVE_ASSIGN_OR_RETURN(const std::optional<Endpoint> endpoint, ReadEndpoint(room.DirectoryOf(container.record.id)));
  const std::string wanted =
      options.port.empty() || options.port.find('/') != std::string::npos ? options.port : options.port + "/tcp";
  bool found = wanted.empty();
  for (const PublishedPort& port : endpoint&& container.state.live() ? endpoint->ports : std::vector<PublishedPort>()) {
    const std::string name = fmt::format("{}/{}", port.container_port, port.protocol);
    if (wanted.empty()) {
      fmt::print("{} -> {}:{}\n", name, port.host_address, port.host_port);
    } else if (wanted == name) {
      fmt::print("{}:{}\n", port.host_address, port.host_port);
      found = true;
    }
  }
  if (found) return 0;
  return Error(Code::kNotFound, fmt::format("No public port '{}' published for {}", wanted, options.container));
}

}  // namespace

void AddPort(Cli& cli) {
  auto options = std::make_shared<PortOptions>();
  CLI::App* command = cli.app.add_subcommand("port", "Show which ports of the host lead to a container");
  command->add_option("CONTAINER", options->container, "its name or id")->required();
  command->add_option("PORT", options->port, "PORT[/udp]: the container's, only where it is to be reached");
  SetAction(cli, command, options, RunPort);
}

}  // namespace varve
