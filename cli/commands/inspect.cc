#include <fmt/core.h>

#include "cli/cli.h"
#include "cli/documents.h"

namespace varve {
namespace {

struct InspectOptions {
  std::vector<std::string> images;
};

// Like docker: what was found is printed as an array, what was not is an error each, and the exit code is 1 if anything
// was missing.
Result<int> RunInspect(Session& session, const InspectOptions& options) {
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  std::vector<std::string> objects;
  int exit_code = 0;
  for (const std::string& image : options.images) {
    const auto detail = daemon.InspectImage(image, DaemonClient::Purpose::kLook);
    if (!detail.ok()) {
      fmt::print(stderr, "Error: {}\n", detail.error().message());
      exit_code = 1;
      continue;
    }
    VARVE_ASSIGN_OR_RETURN(std::string object, InspectJson(*detail));
    objects.push_back(std::move(object));
  }
  fmt::print("{}\n", JsonArray(objects));
  return exit_code;
}

}  // namespace

void AddInspect(Cli& cli) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command = cli.app.add_subcommand("inspect", "Show images as docker-shaped JSON");
  command->add_option("IMAGE", options->images, "name, id, or NAME@layer:N")->required();
  SetAction(cli, command, options, RunInspect);
}

}  // namespace varve
