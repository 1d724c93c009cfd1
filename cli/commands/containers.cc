#include "cli/containers.h"

#include <fmt/core.h>
#include <unistd.h>

#include <filesystem>

#include "cli/cli.h"
#include "cli/foreground.h"
#include "cli/listing/print.h"
#include "cli/runtime/container.h"
#include "cli/runtime/life.h"
#include "cli/runtime/signal_names.h"

namespace varve {
namespace {

struct ContainersOptions {
  std::vector<std::string> containers;
  std::optional<std::uint32_t> timeout_seconds;
  std::string signal = "KILL";
  std::string condition = "not-running";
  bool force = false;
  bool volumes = false;
  bool attach = false;
  bool interactive = false;
  ForegroundOptions foreground = {};
};

std::optional<std::chrono::seconds> TimeoutOf(const ContainersOptions& options) {
  if (!options.timeout_seconds) return std::nullopt;
  return std::chrono::seconds(*options.timeout_seconds);
}

// Does `act` with each container, and prints the name that it was given by. With rm --force, one that is not there is
// said and no failure, as docker has it.
int ForEachContainer(const Session& session, const ContainersOptions& options,
                     const std::function<Status(const ContainerRoom&, const Container&)>& act) {
  const ContainerRoom room(session.paths().containers());
  return ForEach(options.containers, [&](const std::string& name) -> Status {
    const Result<Container> container = room.Find(name);
    if (!container.ok() && container.error().code() == Code::kNotFound && options.force) {
      fmt::print(stderr, "Error: {}\n", Harmless(container.error().message()));
      return Ok();
    }
    if (!container.ok()) return container.error();
    VARVE_RETURN_IF_ERROR(act(room, *container));
    fmt::print("{}\n", name);
    std::fflush(stdout);
    return Ok();
  });
}

Result<int> RunStop(Session& session, const ContainersOptions& options) {
  return ForEachContainer(session, options, [&](const ContainerRoom& room, const Container& container) {
    return StopContainer(room, container.record.id, TimeoutOf(options), Wish::kStop);
  });
}

// One that somebody else has started meanwhile runs, which is what is wanted.
Status StartAgain(Session& session, LockedContainer& container) {
  if (container->state.status == ContainerStatus::kRunning) return Ok();
  VARVE_ASSIGN_OR_RETURN(ContainerRoots roots, RootsOf(session, container->record));
  return StartOn(session, container, std::move(roots));
}

Result<int> RunRestart(Session& session, const ContainersOptions& options) {
  return ForEachContainer(session, options, [&](const ContainerRoom& room, const Container& container) -> Status {
    VARVE_RETURN_IF_ERROR(StopContainer(room, container.record.id, TimeoutOf(options), Wish::kRestart));
    VARVE_ASSIGN_OR_RETURN(LockedContainer locked, room.Lock(container.record.id));
    return StartAgain(session, locked);
  });
}

Result<int> RunKill(Session& session, const ContainersOptions& options) {
  VARVE_ASSIGN_OR_RETURN(const int signal, ParseSignal(options.signal));
  return ForEachContainer(session, options, [&](const ContainerRoom& room, const Container& container) {
    return SignalContainer(room, container, signal);
  });
}

Result<int> RunPause(Session& session, const ContainersOptions& options) {
  return ForEachContainer(session, options, PauseContainer);
}

Result<int> RunUnpause(Session& session, const ContainersOptions& options) {
  return ForEachContainer(session, options, UnpauseContainer);
}

Result<int> RunRm(Session& session, const ContainersOptions& options) {
  return ForEachContainer(session, options, [&](const ContainerRoom& room, const Container& container) {
    return RemoveContainer(room, container.record.id, options.force ? Running::kKilled : Running::kRefused,
                           options.volumes ? AnonymousVolumes::kRemoved : AnonymousVolumes::kKept);
  });
}

// docker's conditions, and podman's as far as they are states that we have.
Result<Container> AwaitCondition(EndWatch& watch, const std::string& condition) {
  using Status = ContainerStatus;
  if (condition == "removed") return watch.AwaitRemoved();
  VARVE_ASSIGN_OR_RETURN(const Container first, watch.Look());
  return watch.Await([&](const ContainerState& now) {
    if (condition == "created") return now.status == Status::kCreated;
    if (condition == "running") return now.status == Status::kRunning;
    if (condition == "exited" || condition == "stopped") return now.status == Status::kExited;
    if (condition == "not-running") return !now.live();
    const bool ended = now.status == Status::kExited || now.status == Status::kRestarting;  // next-exit
    return ended && now.finished != first.state.finished;
  });
}

Result<int> RunWait(Session& session, const ContainersOptions& options) {
  const ContainerRoom room(session.paths().containers());
  constexpr int kNoExitCode = -1;  // podman's, of a container that runs
  return ForEach(options.containers, [&](const std::string& name) -> Status {
    VARVE_ASSIGN_OR_RETURN(const Container container, room.Find(name));
    VARVE_ASSIGN_OR_RETURN(EndWatch watch, EndWatch::Open(room, container.record.id, EndWatch::WakeOn::kEnd));
    VARVE_ASSIGN_OR_RETURN(const Container seen, AwaitCondition(watch, options.condition));
    fmt::print("{}\n", seen.state.status == ContainerStatus::kRunning ? kNoExitCode : seen.state.exit_code);
    std::fflush(stdout);
    return Ok();
  });
}

Result<int> StartAttached(Session& session, const ContainersOptions& options) {
  if (options.containers.size() != 1) return Error(Code::kInvalidArgument, "start -a: name one container");
  const ContainerRoom room(session.paths().containers());
  VARVE_ASSIGN_OR_RETURN(const Container container, room.Find(options.containers[0]));
  ForegroundOptions foreground = options.foreground;
  if (options.interactive) foreground.attach.standard_input = container.record.options.standard_input;
  if (container.state.status == ContainerStatus::kRunning) return AttachTo(room, container, foreground);
  VARVE_ASSIGN_OR_RETURN(LockedContainer locked, room.Lock(container.record.id));
  VARVE_ASSIGN_OR_RETURN(ContainerRoots roots, RootsOf(session, locked->record));
  return StartInForeground(session, std::move(locked), std::move(roots), foreground);
}

Result<int> RunStart(Session& session, const ContainersOptions& options) {
  if (options.attach || options.interactive) return StartAttached(session, options);
  return ForEachContainer(session, options, [&](const ContainerRoom& room, const Container& container) -> Status {
    VARVE_ASSIGN_OR_RETURN(LockedContainer locked, room.Lock(container.record.id));
    if (locked->paused) {
      return Error(Code::kFailedPrecondition, "cannot start a paused container, try unpause instead");
    }
    return StartAgain(session, locked);
  });
}

Result<int> RunRename(Session& session, const ContainersOptions& options) {
  const ContainerRoom room(session.paths().containers());
  VARVE_ASSIGN_OR_RETURN(const Container container, room.Find(options.containers[0]));
  VARVE_ASSIGN_OR_RETURN(LockedContainer locked, room.Lock(container.record.id));
  VARVE_RETURN_IF_ERROR(locked.Rename(options.containers[1]));
  return 0;
}

Result<int> RunEnded(Session& session, const ContainersOptions& options) {
  ::close_range(STDERR_FILENO + 1, ~0U, 0);  // ports that conmon holds: free with its end, at the latest
  const ContainerRoom room(session.paths().containers());
  VARVE_RETURN_IF_ERROR(RecordEnd(room, options.containers[0],
                                  [&](LockedContainer& container) { return StartAgain(session, container); }));
  return 0;
}

CLI::App* AddCommand(Cli& cli, const char* name, const char* help, const std::shared_ptr<ContainersOptions>& options,
                     Result<int> (*run)(Session&, const ContainersOptions&)) {
  CLI::App* command = cli.app.add_subcommand(name, help);
  command->add_option("CONTAINER", options->containers, "names, ids or beginnings of ids")->required();
  SetAction(cli, command, options, run);
  return command;
}

}  // namespace

void AddContainers(Cli& cli) {
  const auto options = [] { return std::make_shared<ContainersOptions>(); };
  auto start = options();
  CLI::App* command = AddCommand(cli, "start", "Start containers that do not run", start, RunStart);
  command->add_flag("-a,--attach", start->attach, "stay in the foreground, and exit with the container's exit code");
  command->add_flag("-i,--interactive", start->interactive, "the same, and pass standard input on");
  AddForegroundOptions(command, start->foreground);
  auto stop = options();
  command = AddCommand(cli, "stop", "End containers: their stop signal, then SIGKILL", stop, RunStop);
  command->add_option("-t,--time", stop->timeout_seconds, "seconds to wait in between (10)");
  auto restart = options();
  command = AddCommand(cli, "restart", "Stop containers and start them again", restart, RunRestart);
  command->add_option("-t,--time", restart->timeout_seconds, "seconds to wait before SIGKILL (10)");
  auto kill = options();
  command = AddCommand(cli, "kill", "Send containers a signal", kill, RunKill);
  command->add_option("-s,--signal", kill->signal, "name or number (KILL)");
  AddCommand(cli, "pause", "Freeze all processes of containers", options(), RunPause);
  AddCommand(cli, "unpause", "Let the processes of containers go on", options(), RunUnpause);
  auto wait = options();
  command = AddCommand(cli, "wait", "Wait until containers end and print their exit codes", wait, RunWait);
  command->add_option("--condition", wait->condition, "what to wait for (not-running)")
      ->check(CLI::IsMember({"not-running", "next-exit", "removed", "created", "running", "exited", "stopped"}));
  auto remove = options();
  command = AddCommand(cli, "rm", "Remove containers that do not run", remove, RunRm);
  command->add_flag("-f,--force", remove->force, "kill those that run");
  command->add_flag("-v,--volumes", remove->volumes, "and their anonymous volumes");
  auto rename = options();
  command = cli.app.add_subcommand("rename", "Give a container another name");
  command->add_option("CONTAINER NAME", rename->containers, "the container, and its new name")->required()->expected(2);
  SetAction(cli, command, rename, RunRename);
  // For conmon alone: hidden, since it does nothing for anybody else.
  AddCommand(cli, "container-ended", "Record the end of a container", options(), RunEnded)->group("");
}

}  // namespace varve
