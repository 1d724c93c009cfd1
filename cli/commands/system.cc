#include <fmt/core.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/mounts.h"
#include "cli/runtime/connection.h"
#include "cli/runtime/life.h"
#include "cli/scratch.h"

namespace varve {
namespace {

struct NoOptions {};

Result<int> RunStart(Session& session, const NoOptions&) {
  VARVE_RETURN_IF_ERROR(session.Daemon());
  return 0;
}

struct StopOptions {
  bool force = false;
};

// What stands in the way of a stop, a line each.
Result<std::string> UsedBy(const Session& session) {
  std::string users;
  VARVE_ASSIGN_OR_RETURN(const auto containers, ContainerRoom(session.paths().containers()).List());
  for (const Container& container : containers) {
    if (container.state.live())
      users += "\n  container " + container.record.id.substr(0, 12) + " (" + container.record.name + ")";
  }
  VARVE_ASSIGN_OR_RETURN(const auto mounts, ListMounts(session.paths()));
  for (const UserMount& mount : mounts) users += "\n  mount " + mount.directory;
  return users;
}

Result<int> RunStop(Session& session, const StopOptions& options) {
  if (options.force) {
    VARVE_RETURN_IF_ERROR(StopAll(ContainerRoom(session.paths().containers())));
    VARVE_ASSIGN_OR_RETURN(const auto mounts, ListMounts(session.paths()));
    for (auto mount = mounts.rbegin(); mount != mounts.rend(); ++mount)
      VARVE_RETURN_IF_ERROR(Unmount(session.paths(), mount->directory, Busy::kDetached));
  }
  VARVE_ASSIGN_OR_RETURN(const std::string users, UsedBy(session));
  if (!users.empty())
    return Error(Code::kFailedPrecondition, "varve is in use; stop these first, or use --force:" + users);
  VARVE_RETURN_IF_ERROR(TakeDownNetworks(ContainerRoom(session.paths().containers())));
  VARVE_RETURN_IF_ERROR(session.Stop());
  return 0;
}

// By asking: only root sees the locks, which the members of [listen] group may not even reach.
Result<int> RunStatus(Session& session, const NoOptions&) {
  const std::string socket = session.paths().socket("cached");
  const auto status = DaemonClient(socket).SystemStatus();
  if (!status.ok()) {
    if (::access(socket.c_str(), W_OK) != 0 && errno == EACCES) {
      return Error(Code::kPermissionDenied, socket + ": only root and the members of [listen] group may ask");
    }
    if (status.error().code() != Code::kUnavailable || session.Lives("cached")) return status.error();
    fmt::print("root            {}\nvarve-cached    not running\n", session.paths().root);
    return 0;
  }
  fmt::print(
      "root            {}\nconfiguration   {}\nvarve-cached    running, pid {}, version {}\nvarve-fuse      {}\n"
      "served images   {}\n",
      status->root(),
      status->config_files().empty() ? "all defaults" : fmt::format("{}", fmt::join(status->config_files(), ", ")),
      status->pid(), status->version(), status->driver_attends() || session.Lives("fuse") ? "running" : "not running",
      status->served_chain_ids_size());
  return 0;
}

struct PruneOptions {
  bool all = false;
  bool originals = false;
  bool force = false;
};

std::string Warning(const PruneOptions& options) {
  return fmt::format("WARNING! This will remove:\n  - all stopped containers\n  - {}\n{}",
                     options.all ? "all images that no mount or container uses"
                                 : "all images without a name, and what nothing needs any more",
                     options.originals ? "  - compressed layers that can be fetched again\n" : "");
}

Result<int> RunPrune(Session& session, const PruneOptions& options) {
  if (!options.force && !Confirm(Warning(options))) return 0;
  const ContainerRoom room(session.paths().containers());
  VARVE_ASSIGN_OR_RETURN(const Pruned containers, PruneContainers(room, [](const Container&) { return true; }));
  if (!containers.ids.empty()) fmt::print("Deleted Containers:\n{}\n\n", fmt::join(containers.ids, "\n"));
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  VARVE_RETURN_IF_ERROR(SweepScratches(session.paths()));
  VARVE_ASSIGN_OR_RETURN(const auto kept, room.List());
  v1::PruneRequest request;
  for (const Container& container : kept) {
    request.add_kept_chain_ids(container.record.chain_id);
    for (const ContainerMount& mount : container.record.mounts) {
      if (mount.kind == MountKind::kImage) request.add_kept_chain_ids(mount.chain_id);
    }
  }
  request.set_all(options.all);
  request.set_originals(options.originals);
  VARVE_ASSIGN_OR_RETURN(const v1::PruneReply reply, daemon.Prune(request));
  for (const std::string& digest : reply.deleted_images()) fmt::print("Deleted: {}\n", digest);
  fmt::print("Total reclaimed space: {}\n", HumanSize(reply.reclaimed_bytes() + containers.bytes));
  return 0;
}

}  // namespace

void AddSystem(Cli& cli) {
  CLI::App* system = cli.app.add_subcommand("system", "The daemon, disk usage, giving space back");
  system->require_subcommand(1);
  SetAction(cli, system->add_subcommand("start", "Start the daemon (commands do so when they need it)"),
            std::make_shared<NoOptions>(), RunStart);
  auto stop = std::make_shared<StopOptions>();
  CLI::App* command =
      system->add_subcommand("stop", "End the daemon and the mount driver; refuses while they are in use");
  command->add_flag("--force", stop->force, "stop containers and detach mounts first");
  SetAction(cli, command, stop, RunStop);
  SetAction(cli, system->add_subcommand("status", "Say what runs"), std::make_shared<NoOptions>(), RunStatus);
  AddSystemDf(cli, system);
  auto prune = std::make_shared<PruneOptions>();
  command = system->add_subcommand(
      "prune", "Remove stopped containers and images without a name, and give back the space of what nothing needs");
  command->add_flag("-a,--all", prune->all, "remove named images too, if no mount or container uses them");
  command->add_flag("--originals", prune->originals,
                    "drop compressed layers that can be fetched again from where they came from");
  command->add_flag("-f,--force", prune->force, "do not ask");
  SetAction(cli, command, prune, RunPrune);
}

}  // namespace varve
