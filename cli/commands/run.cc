#include <fmt/core.h>

#include "cli/cli.h"
#include "cli/pull.h"
#include "cli/runtime/container.h"

namespace varve {
namespace {

struct RunCommandOptions {
  RunOptions run;
  bool remove = false;  // a foreground run keeps nothing anyway
  bool interactive = false;
  bool read_only = false;
  std::string network = "host";
  std::string entrypoint;
  bool has_entrypoint = false;
  std::string pull = "missing";
  std::string tls_verify = "true";
  std::string platform;
  std::vector<std::string> rest;  // the image, then its command
};

Result<v1::ImageDetail> ImageFor(DaemonClient& daemon, const RunCommandOptions& options, const std::string& image) {
  if (options.pull != "always") {
    auto found = daemon.InspectImage(image, DaemonClient::Purpose::kUse);
    if (found.ok() || found.error().code() != Code::kNotFound || options.pull == "never") return found;
    fmt::print(stderr, "Unable to find image '{}' locally\n", image);
  }
  PullProgress progress(PullProgress::Style::kQuiet);
  VARVE_RETURN_IF_ERROR(
      PullFrom(daemon, {.source = image, .platform = options.platform, .tls_verify = options.tls_verify}, progress));
  return daemon.InspectImage(image, DaemonClient::Purpose::kUse);
}

Result<int> RunRun(Session& session, const RunCommandOptions& options) {
  if (options.rest.empty()) return Error(Code::kInvalidArgument, "run: name an image");
  const std::string& image = options.rest.front();
  if (image.starts_with("-"))
    return Error(Code::kInvalidArgument, "unknown flag: " + image + "; see 'varve run --help'");
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  VARVE_ASSIGN_OR_RETURN(const v1::ImageDetail detail, ImageFor(daemon, options, image));
  RunImage run_image;
  VARVE_ASSIGN_OR_RETURN(run_image.config, ParseImageConfig(AsBytes(detail.config())));
  VARVE_ASSIGN_OR_RETURN(run_image.root, session.ImageRoot(daemon, detail));
  RunOptions run = options.run;
  run.args.assign(options.rest.begin() + 1, options.rest.end());
  if (options.has_entrypoint) run.entrypoint = options.entrypoint;
  run.network = options.network == "none" ? Network::kNone : Network::kHost;
  run.root_access = options.read_only ? RootAccess::kReadOnly : RootAccess::kReadWrite;
  run.standard_input = options.interactive ? Stdin::kPassed : Stdin::kEmpty;
  return RunContainer(run, std::move(run_image), session.paths().containers());
}

}  // namespace

void AddRun(Cli& cli) {
  auto options = std::make_shared<RunCommandOptions>();
  CLI::App* command = cli.app.add_subcommand(
      "run", "Run a command in a new container, in the foreground: run [OPTIONS] IMAGE [COMMAND…]");
  command->prefix_command();
  RunOptions& run = options->run;
  command->add_flag("--rm", options->remove, "throw the container away when it ends (a foreground run always is)");
  command->add_flag("-i,--interactive", options->interactive, "pass standard input on");
  command->add_option("--name", run.name, "its name");
  command->add_option("-e,--env", run.env, "NAME=value, or NAME to pass ours on")->take_all()->allow_extra_args(false);
  command->add_option("--env-file", run.env_files, "a file of NAME=value lines")->allow_extra_args(false);
  command->add_option("-u,--user", run.user, "NAME|UID[:GROUP|GID]");
  command->add_option("-w,--workdir", run.workdir, "working directory inside");
  command->add_option("-v,--volume", run.volumes, "HOST:CONTAINER[:ro]")->allow_extra_args(false);
  command->add_option("--entrypoint", options->entrypoint, "run this instead of the image's entrypoint")
      ->each([options](const std::string&) { options->has_entrypoint = true; });
  command->add_option("--network", options->network, "host (the default) or none")
      ->check(CLI::IsMember({"host", "none"}));
  command->add_option("--hostname", run.hostname, "its host name");
  command->add_flag("--read-only", options->read_only, "make its root read-only");
  command->add_option("--tmpfs", run.tmpfs, "PATH[:OPTIONS]")->allow_extra_args(false);
  command->add_option("--cap-add", run.cap_add, "a capability, or ALL")->allow_extra_args(false);
  command->add_option("--cap-drop", run.cap_drop, "a capability, or ALL")->allow_extra_args(false);
  command->add_option("-l,--label", run.labels, "NAME[=value]")->allow_extra_args(false);
  command->add_option("--pull", options->pull, "always, missing (the default) or never")
      ->check(CLI::IsMember({"always", "missing", "never"}));
  command->add_option("--platform", options->platform, "os/arch[/variant], when it has to be pulled");
  command->add_option("--tls-verify", options->tls_verify, "false: accept any certificate, or plain HTTP")
      ->check(CLI::IsMember({"true", "false"}));
  command->callback([&cli, command, options] {
    options->rest = command->remaining();
    cli.action = [&cli, options] { return RunRun(cli.session, *options); };
  });
}

}  // namespace varve
