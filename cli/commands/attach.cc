#include "cli/cli.h"
#include "cli/foreground.h"

namespace varve {
namespace {

struct AttachCommandOptions {
  std::string container;
  bool no_stdin = false;
  ForegroundOptions foreground;
};

Result<int> RunAttach(Session& session, const AttachCommandOptions& options) {
  const ContainerRoom room(session.paths().containers());
  VARVE_ASSIGN_OR_RETURN(const Container container, room.Find(options.container));
  ForegroundOptions foreground = options.foreground;
  if (!options.no_stdin) foreground.attach.standard_input = container.record.options.standard_input;
  return AttachTo(room, container, foreground);
}

}  // namespace

void AddAttach(Cli& cli) {
  auto options = std::make_shared<AttachCommandOptions>();
  CLI::App* command =
      cli.app.add_subcommand("attach", "Come back to a container that runs: its output, input, signals");
  command->add_option("CONTAINER", options->container, "name, id or beginning of an id")->required();
  command->add_flag("--no-stdin", options->no_stdin, "do not pass standard input on");
  AddForegroundOptions(command, options->foreground);
  SetAction(cli, command, options, RunAttach);
}

}  // namespace varve
