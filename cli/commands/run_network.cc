#include "cli/commands/run_options.h"
#include "cli/runtime/networks.h"

namespace varve {

void AddNetworkOptions(CLI::App* command, NetworkOptions& options) {
  options.network = kDefaultNetwork;
  command
      ->add_option("--network,--net", options.network,
                   "bridge (the default), host, none, container:NAME, or a network's name")
      ->transform([](const std::string& name) { return name == "default" ? kDefaultNetwork : name; });
}

}  // namespace varve
