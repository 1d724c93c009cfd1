#include "cli/cli.h"

namespace varve {
namespace {

struct TagOptions {
  std::string image;
  std::vector<std::string> names;
};

Result<int> RunTag(Session& session, const TagOptions& options) {
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  for (const std::string& name : options.names) VARVE_RETURN_IF_ERROR(daemon.TagImage(options.image, name));
  return 0;
}

}  // namespace

void AddTag(Cli& cli) {
  auto options = std::make_shared<TagOptions>();
  CLI::App* command = cli.app.add_subcommand("tag", "Give an image another name");
  command->add_option("IMAGE", options->image, "name or id")->required();
  command->add_option("NAME", options->names, "NAME[:TAG], one or more")->required();
  SetAction(cli, command, options, RunTag);
}

}  // namespace varve
