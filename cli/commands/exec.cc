#include "cli/runtime/exec.h"

#include "cli/cli.h"
#include "cli/foreground.h"

namespace varve {
namespace {

struct ExecCommandOptions {
  ExecOptions exec;
  bool detach = false;
  bool interactive = false;
  bool terminal = false;
  std::string user;
  std::string workdir;
  std::vector<std::string> rest;  // the container, then the command
};

Result<int> RunExec(Session& session, const ExecCommandOptions& options) {
  if (options.rest.size() < 2) return Error(Code::kInvalidArgument, "exec: name a container and a command");
  if (options.rest[0].starts_with("-"))
    return Error(Code::kInvalidArgument, "unknown flag: " + options.rest[0] + "; see 'varve exec --help'");
  const ContainerRoom room(session.paths().containers());
  VARVE_ASSIGN_OR_RETURN(const Container container, room.Find(options.rest[0]));
  ExecOptions exec = options.exec;
  exec.args.assign(options.rest.begin() + 1, options.rest.end());
  if (!options.user.empty()) exec.user = options.user;
  if (!options.workdir.empty()) exec.workdir = options.workdir;
  exec.terminal = options.terminal ? Terminal::kAllocated : Terminal::kNone;
  if (options.interactive) exec.attach.standard_input = Stdin::kPassed;
  if (!options.detach) VARVE_RETURN_IF_ERROR(CheckForeground(exec.attach, exec.terminal));
  exec.wait = options.detach ? ExecOptions::Wait::kForItsStart : ExecOptions::Wait::kForItsEnd;
  return ExecInContainer(room, container, exec);
}

}  // namespace

void AddExec(Cli& cli) {
  auto options = std::make_shared<ExecCommandOptions>();
  CLI::App* command = cli.app.add_subcommand(
      "exec", "Run a command in a container that runs: exec [OPTIONS] CONTAINER COMMAND [ARGUMENT…]");
  command->prefix_command();
  command->add_flag("-d,--detach", options->detach, "do not wait for its end");
  command->add_flag("-i,--interactive", options->interactive, "pass standard input on");
  command->add_flag("-t,--tty", options->terminal, "give it a terminal");
  AddDetachKeys(command, options->exec.attach);
  command->add_option("-e,--env", options->exec.env, "NAME=value, or NAME to pass ours on")->allow_extra_args(false);
  command->add_option("-u,--user", options->user, "NAME|UID[:GROUP|GID] (the container's)");
  command->add_option("-w,--workdir", options->workdir, "working directory inside (the container's)");
  command->callback([&cli, command, options] {
    options->rest = command->remaining();
    cli.action = [&cli, options] { return RunExec(cli.session, *options); };
  });
}

}  // namespace varve
