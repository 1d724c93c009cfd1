#include <fmt/core.h>

#include "cli/commands/run_options.h"
#include "cli/runtime/networks.h"

namespace varve {

void AddNetworkOptions(CLI::App* command, NetworkOptions& options) {
  options.network = kDefaultNetwork;
  command
      ->add_option("--network,--net", options.network,
                   "bridge (the default), host, none, container:NAME, or a network's name")
      ->transform([](const std::string& name) { return name == "default" ? kDefaultNetwork : name; });
  command->add_option("-p,--publish", options.publish, "[ADDRESS:][HOST:]CONTAINER[/udp], ports or ranges of ports")
      ->allow_extra_args(false);
  command->add_flag("-P,--publish-all", options.publish_all, "publish all ports that are exposed, each at a free one");
  command->add_option("--expose", options.expose, "PORT[-PORT][/udp]: what it listens on, beside the image's")
      ->allow_extra_args(false);
}

void WarnOfNetworkOptions(const NetworkOptions& options) {
  if (options.kind() == NetworkKind::kHost && (options.publish_all || !options.publish.empty()))
    fmt::print(stderr, "WARNING: Published ports are discarded when using host network mode\n");
}

}  // namespace varve
