#include <fmt/core.h>

#include "cli/cli.h"

namespace varve {
namespace {

struct RmiOptions {
  std::vector<std::string> images;
  bool force = false;
};

Result<int> RunRmi(Session& session, const RmiOptions& options) {
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  int exit_code = 0;
  for (const std::string& image : options.images) {
    v1::RemoveImageRequest request;
    request.set_image(image);
    request.set_force(options.force);
    const auto removed = daemon.RemoveImage(request);
    if (!removed.ok()) {
      fmt::print(stderr, "Error: {}\n", removed.error().message());
      exit_code = 1;
      continue;
    }
    for (const std::string& name : removed->untagged()) fmt::print("Untagged: {}\n", name);
    for (const std::string& digest : removed->deleted()) fmt::print("Deleted: {}\n", digest);
  }
  return exit_code;
}

}  // namespace

void AddRmi(Cli& cli) {
  auto options = std::make_shared<RmiOptions>();
  CLI::App* command =
      cli.app.add_subcommand("rmi", "Remove names, and images that have none left; prune gives the space back");
  command->add_option("IMAGE", options->images, "names or ids")->required();
  command->add_flag("-f,--force", options->force, "an id that has several names: remove them all");
  SetAction(cli, command, options, RunRmi);
}

}  // namespace varve
