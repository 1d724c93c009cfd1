#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "cached/base/fs.h"
#include "cli/cli.h"
#include "cli/commands/run_options.h"
#include "cli/containers.h"
#include "cli/foreground.h"
#include "cli/pull.h"
#include "cli/runtime/binfmt.h"
#include "cli/runtime/container.h"
#include "cli/runtime/container_storage.h"

namespace varve {
namespace {

struct RunCommandOptions {
  RunOptions run;
  bool detach = false;
  bool remove = false;
  bool interactive = false;
  bool terminal = false;
  ForegroundOptions foreground;
  std::vector<std::string> attach;
  std::string restart = "no";
  std::string id_file;
  bool read_only = false;
  std::string entrypoint;
  bool has_entrypoint = false;
  std::string pull = "missing";
  std::string tls_verify = "true";
  std::string platform;
  std::vector<std::string> rest;  // the image, then its command
};

// An image that is here, if it is for the platform that was asked for.
Status CheckPlatform(const v1::ImageDetail& image, const std::string& name, const std::string& wanted) {
  if (wanted.empty()) return Ok();
  VARVE_ASSIGN_OR_RETURN(const Platform platform, Platform::Parse(wanted));
  VARVE_ASSIGN_OR_RETURN(const ImageConfig config, ParseImageConfig(AsBytes(image.config())));
  const std::vector<Platform> runnable = platform.Runnable();
  const bool matches = std::ranges::any_of(runnable, [&](const Platform& one) {
    return one.os == config.platform.os && one.architecture == config.platform.architecture &&
           (config.platform.variant.empty() || one.variant == config.platform.variant);
  });
  if (matches) return Ok();
  return Error(Code::kNotFound,
               fmt::format("image with reference {} was found but does not match the specified platform: wanted {}, "
                           "actual: {}",
                           name, platform.ToString(), config.platform.ToString()));
}

Result<v1::ImageDetail> ImageFor(DaemonClient& daemon, const RunCommandOptions& options, const std::string& image) {
  if (options.pull != "always") {
    auto found = daemon.InspectImage(image, DaemonClient::Purpose::kUse);
    if (found.ok()) {
      if (Status fits = CheckPlatform(*found, image, options.platform); !fits.ok()) found = fits.error();
    }
    if (found.ok() || found.error().code() != Code::kNotFound || options.pull == "never") return found;
    fmt::print(stderr, "Unable to find image '{}' locally\n", image);
  }
  TransferProgress progress(TransferProgress::Style::kQuiet);
  VARVE_RETURN_IF_ERROR(
      PullFrom(daemon, {.source = image, .platform = options.platform, .tls_verify = options.tls_verify}, progress));
  return daemon.InspectImage(image, DaemonClient::Purpose::kUse);
}

// "no", "on-failure" or "on-failure:N".
Result<RestartPolicy> RestartPolicyOf(const std::string& text) {
  constexpr std::string_view kOnFailure = "on-failure";
  if (text == "no") return RestartPolicy{};
  if (text == kOnFailure) return RestartPolicy{.on_failure = true, .most_times = std::nullopt};
  std::uint32_t most = 0;
  const char* const end = text.data() + text.size();
  if (text.starts_with("on-failure:")) {
    const auto [rest, error] = std::from_chars(text.data() + kOnFailure.size() + 1, end, most);
    if (error == std::errc() && rest == end && most > 0) return RestartPolicy{.on_failure = true, .most_times = most};
  }
  return Error(Code::kInvalidArgument, "invalid restart policy '" + text + "' (known: no, on-failure[:N])");
}

Result<RunOptions> OptionsOf(const RunCommandOptions& options) {
  RunOptions run = options.run;
  run.args.assign(options.rest.begin() + 1, options.rest.end());
  if (options.has_entrypoint) run.entrypoint = options.entrypoint;
  run.root_access = options.read_only ? RootAccess::kReadOnly : RootAccess::kReadWrite;
  run.standard_input = !options.interactive ? Stdin::kEmpty : options.detach ? Stdin::kOpen : Stdin::kPassed;
  run.terminal = options.terminal ? Terminal::kAllocated : Terminal::kNone;
  run.at_end = options.remove ? AtEnd::kRemoved : AtEnd::kKept;
  VARVE_ASSIGN_OR_RETURN(run.restart, RestartPolicyOf(options.restart));
  if (run.restart.on_failure && options.remove)
    return Error(Code::kInvalidArgument, "Conflicting options: --restart and --rm");
  return run;
}

// An existing one belongs to another container.
Status WriteIdFile(const std::string& path, const std::string& id) {
  if (path.empty()) return Ok();
  const auto file = Fs::Real().Open(path, OpenMode::kCreateNew);
  if (!file.ok() && file.error().code() == Code::kAlreadyExists) {
    return Error(Code::kAlreadyExists,
                 "container ID file found, make sure the other container isn't running or delete " + path);
  }
  if (!file.ok()) return file.error();
  return (*file)->WriteAt(0, AsBytes(id));
}

struct Made {
  LockedContainer container;
  ContainerRoots roots;
};

enum class Then { kStart, kNothing };

Result<Made> Make(Session& session, const RunCommandOptions& options, Then then) {
  if (options.rest.empty()) return Error(Code::kInvalidArgument, "name an image");
  const std::string& name = options.rest.front();
  if (name.starts_with("-")) return Error(Code::kInvalidArgument, "unknown flag: " + name + "; see --help");
  VARVE_ASSIGN_OR_RETURN(const RunOptions run, OptionsOf(options));
  WarnOfNetworkOptions(run.network);
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  VARVE_ASSIGN_OR_RETURN(const v1::ImageDetail detail, ImageFor(daemon, options, name));
  RunImage image{.name = name, .id = detail.config_digest(), .chain_id = detail.chain_id(), .config = {}, .root = {}};
  VARVE_ASSIGN_OR_RETURN(image.config, ParseImageConfig(AsBytes(detail.config())));
  if (then == Then::kStart) VARVE_RETURN_IF_ERROR(CheckExecutable(image.config.platform).In(name));
  VARVE_ASSIGN_OR_RETURN(image.root, session.ImageRoot(daemon, detail));
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> mounted, MountedImages(run.storage));
  for (const std::string& other : mounted) {
    VARVE_ASSIGN_OR_RETURN(const v1::ImageDetail found, ImageFor(daemon, options, other));
    VARVE_ASSIGN_OR_RETURN(UniqueFd root, session.ImageRoot(daemon, found));
    image.mounted.push_back({.chain_id = found.chain_id(), .root = std::move(root)});
  }
  const ContainerRoom room(session.paths().containers());
  VARVE_ASSIGN_OR_RETURN(LockedContainer container, CreateContainer(room, run, image));
  Status written = WriteIdFile(options.id_file, container->record.id);
  if (!written.ok()) {
    VARVE_RETURN_IF_ERROR(container.Remove());
    return written.error();
  }
  return Made{std::move(container), RootsOf(std::move(image))};
}

Result<int> RunRun(Session& session, const RunCommandOptions& options) {
  ForegroundOptions foreground = options.foreground;
  const auto passes = [&](const char* stream) {
    return options.attach.empty() || std::ranges::find(options.attach, stream) != options.attach.end();
  };
  if (options.interactive && passes("stdin")) foreground.attach.standard_input = Stdin::kPassed;
  foreground.attach.standard_output = passes("stdout");
  foreground.attach.standard_error = passes("stderr");
  if (options.detach && !options.attach.empty()) return Error(Code::kInvalidArgument, "Conflicting options: -a and -d");
  if (!options.detach) {
    const Terminal terminal = options.terminal ? Terminal::kAllocated : Terminal::kNone;
    VARVE_RETURN_IF_ERROR(CheckForeground(foreground.attach, terminal));
  }
  VARVE_ASSIGN_OR_RETURN(Made made, Make(session, options, Then::kStart));
  if (!options.detach) return StartInForeground(session, std::move(made.container), std::move(made.roots), foreground);
  const Status started = StartOn(session, made.container, std::move(made.roots));
  if (!started.ok()) return ReportStart(started.error());
  fmt::print("{}\n", made.container->record.id);
  return 0;
}

Result<int> RunCreate(Session& session, const RunCommandOptions& options) {
  VARVE_ASSIGN_OR_RETURN(Made made, Make(session, options, Then::kNothing));
  fmt::print("{}\n", made.container->record.id);
  return 0;
}

void AddOptions(CLI::App* command, const std::shared_ptr<RunCommandOptions>& options) {
  command->prefix_command();
  RunOptions& run = options->run;
  command->add_flag("--rm", options->remove, "remove the container when it ends");
  command->add_flag("-i,--interactive", options->interactive, "pass standard input on");
  command->add_flag("-t,--tty", options->terminal, "give it a terminal");
  AddLimitOptions(command, run.limits);
  AddSecurityOptions(command, run.security);
  command->add_flag_callback(
      "--init", [&run] { run.first_process = FirstProcess::kInit; }, "run its command below a small init (catatonit)");
  command->add_option("--restart", options->restart,
                      "no (the default) or on-failure[:N]: start it again, at most N times");
  command->add_option("--stop-signal", run.stop_signal, "what asks it to end (the image's, or SIGTERM)");
  command->add_option("--stop-timeout", run.stop_timeout_seconds, "seconds until SIGKILL follows that (10)");
  command->add_option("--cidfile", options->id_file, "a file, not there yet, to write its id to");
  command->add_option("--name", run.name, "its name");
  command->add_option("-e,--env", run.env, "NAME=value, or NAME to pass ours on")->take_all()->allow_extra_args(false);
  command->add_option("--env-file", run.env_files, "a file of NAME=value lines")->allow_extra_args(false);
  command->add_option("-u,--user", run.user, "NAME|UID[:GROUP|GID]");
  command->add_option("-w,--workdir", run.workdir, "working directory inside");
  AddStorageOptions(command, run.storage);
  command->add_option("--entrypoint", options->entrypoint, "run this instead of the image's entrypoint")
      ->each([options](const std::string&) { options->has_entrypoint = true; });
  AddNetworkOptions(command, run.network);
  command->add_option("--hostname", run.hostname, "its host name");
  command->add_flag("--read-only", options->read_only, "make its root read-only");
  command->add_option("--cap-add", run.cap_add, "a capability, or ALL")->allow_extra_args(false);
  command->add_option("--cap-drop", run.cap_drop, "a capability, or ALL")->allow_extra_args(false);
  command->add_option("-l,--label", run.labels, "NAME[=value]")->allow_extra_args(false);
  command->add_option("--pull", options->pull, "always, missing (the default) or never")
      ->check(CLI::IsMember({"always", "missing", "never"}));
  command->add_option("--platform", options->platform, "os/arch[/variant], when it has to be pulled");
  command->add_option("--tls-verify", options->tls_verify, "false: accept any certificate, or plain HTTP")
      ->check(CLI::IsMember({"true", "false"}));
}

void AddCommand(Cli& cli, CLI::App* command, const std::shared_ptr<RunCommandOptions>& options,
                Result<int> (*run)(Session&, const RunCommandOptions&)) {
  AddOptions(command, options);
  command->callback([&cli, command, options, run] {
    options->rest = command->remaining();
    cli.action = [&cli, options, run] { return run(cli.session, *options); };
  });
}

}  // namespace

void AddRun(Cli& cli) {
  auto options = std::make_shared<RunCommandOptions>();
  CLI::App* command = cli.app.add_subcommand("run", "Run a command in a new container: run [OPTIONS] IMAGE [COMMAND…]");
  command->add_flag("-d,--detach", options->detach, "leave it running, and print its id");
  AddForegroundOptions(command, options->foreground);
  command->add_option("-a,--attach", options->attach, "pass on stdin, stdout or stderr, and not the others")
      ->allow_extra_args(false)
      ->check(CLI::IsMember({"stdin", "stdout", "stderr"}));
  AddCommand(cli, command, options, RunRun);
  options = std::make_shared<RunCommandOptions>();
  command = cli.app.add_subcommand("create", "Make a container without running it: create [OPTIONS] IMAGE [COMMAND…]");
  AddCommand(cli, command, options, RunCreate);
}

}  // namespace varve
