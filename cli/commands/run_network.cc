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
  command->add_option("--dns", options.dns, "a name server, instead of the host's")->allow_extra_args(false);
  command->add_option("--dns-search", options.dns_search, "a domain to look up short names in; . for none")
      ->allow_extra_args(false);
  command->add_option("--dns-option,--dns-opt", options.dns_options, "an option of resolv.conf")
      ->allow_extra_args(false);
  command->add_option("--add-host", options.add_hosts, "NAME:ADDRESS or NAME:host-gateway: a line in /etc/hosts")
      ->allow_extra_args(false);
}

void WarnOfNetworkOptions(const NetworkOptions& options) {
  if (options.kind() == NetworkKind::kHost && (options.publish_all || !options.publish.empty()))
    fmt::print(stderr, "WARNING: Published ports are discarded when using host network mode\n");
}

}  // namespace varve
