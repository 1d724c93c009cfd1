#include "cli/runtime/container.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <iterator>
#include <optional>
#include <utility>

#include "cached/base/bytes.h"
#include "cached/base/check.h"
#include "cached/base/fs.h"
#include "cli/runtime/arguments.h"
#include "cli/runtime/capabilities.h"
#include "cli/runtime/conmon.h"
#include "cli/runtime/connection.h"
#include "cli/runtime/container_storage.h"
#include "cli/runtime/environment.h"
#include "cli/runtime/etc_files.h"
#include "cli/runtime/key_value.h"
#include "cli/runtime/life.h"
#include "cli/runtime/mounts.h"
#include "cli/runtime/names.h"
#include "cli/runtime/namespaces.h"
#include "cli/runtime/overlay.h"
#include "cli/runtime/programs.h"
#include "cli/runtime/runc.h"
#include "cli/runtime/signal_names.h"
#include "cli/runtime/spec.h"
#include "cli/runtime/storage_options.h"
#include "cli/runtime/time_text.h"
#include "cli/runtime/user.h"

namespace varve {
namespace {

// That of a container that shares its network with another is the other's.
Result<std::string> HostnameOf(const ContainerRoom& room, const RunOptions& options, const std::string& id) {
  const bool others = options.network.kind() == NetworkKind::kContainer;
  if (!options.hostname.empty() && others)
    return Error(Code::kInvalidArgument, "conflicting options: hostname and the network mode");
  if (!options.hostname.empty()) return options.hostname;
  if (others) {
    const std::string path = room.BundleOf(options.network.container()) + "/hostname";
    VARVE_ASSIGN_OR_RETURN(const Bytes text, ReadWholeFile(Fs::Real(), path, HOST_NAME_MAX + 1));
    return std::string(AsText(text).substr(0, AsText(text).find('\n')));
  }
  if (options.network.kind() != NetworkKind::kHost) return id.substr(0, kShortIdDigits);
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return ErrnoError(errno, "hostname");
  return std::string(name.data());
}

Result<std::vector<std::pair<std::string, std::string>>> LabelsOf(const std::vector<std::string>& labels) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& label : labels) {
    pairs.push_back(SplitAtEquals(label));
    if (pairs.back().first.empty())
      return Error(Code::kInvalidArgument, fmt::format("invalid label '{}': it needs a key", label));
  }
  return pairs;
}

// docker's, where neither the image nor the caller says what kind of terminal it is.
void AddTerm(std::vector<std::string>& env) {
  if (std::ranges::none_of(env, [](const std::string& line) { return line.starts_with("TERM="); }))
    env.emplace_back("TERM=xterm");
}

Status PlanSecurity(const RunOptions& options, ContainerSpec& spec) {
  spec.privileged = options.security.privileged;
  const bool privileged = spec.privileged == Privileged::kYes;
  VARVE_ASSIGN_OR_RETURN(
      spec.capabilities,
      ContainerCapabilities(privileged ? std::vector<std::string>{"ALL"} : options.cap_add, options.cap_drop));
  VARVE_ASSIGN_OR_RETURN(spec.security, ResolveSecurity(options.security, spec.capabilities));
  if (privileged) {
    VARVE_ASSIGN_OR_RETURN(spec.devices, HostDevices());
  }
  for (const std::string& device : options.security.devices) {
    VARVE_ASSIGN_OR_RETURN(const std::vector<Device> given, ParseDevice(device));
    for (const Device& one : given) {
      std::erase_if(spec.devices, [&](const Device& other) { return other.path == one.path; });
      spec.devices.push_back(one);
    }
  }
  return Ok();
}

// Statically linked ones, since the image may have no libraries. The error is that of the first.
Result<std::string> FindInit() {
  Result<std::string> first = FindProgram("catatonit", "catatonit");
  for (const char* other : {"tini-static", "docker-init"}) {
    if (first.ok()) break;
    if (Result<std::string> found = FindProgram(other, "tini"); found.ok()) return found;
  }
  return first;
}

// What every container has mounted, and its init.
Result<std::vector<Mount>> OwnMounts(const RunOptions& options, const ContainerSpec& spec) {
  std::vector<Mount> own = DefaultMounts(spec.limits.shm_bytes, spec.privileged);
  if (options.first_process == FirstProcess::kInit) {
    VARVE_ASSIGN_OR_RETURN(std::string init, FindInit());
    own.push_back({kInitInside, "bind", std::move(init), {"bind", "ro", "nosuid", "nodev"}});
  }
  return own;
}

// All that can be refused before anything is made on disk.
Result<ContainerSpec> PlanContainer(const ContainerRoom& room, const RunOptions& options, const RunImage& image,
                                    const std::string& id) {
  const ContainerConfig& config = image.config.config;
  ContainerSpec spec;
  spec.network = options.network.kind();
  spec.root_access = options.root_access;
  spec.terminal = options.terminal;
  spec.first_process = options.first_process;
  VARVE_ASSIGN_OR_RETURN(spec.args, ContainerArguments(config, options.entrypoint, options.args));
  VARVE_ASSIGN_OR_RETURN(spec.cwd, ContainerWorkingDirectory(config, options.workdir));
  VARVE_ASSIGN_OR_RETURN(spec.hostname, HostnameOf(room, options, id));
  VARVE_ASSIGN_OR_RETURN(spec.env, ContainerEnvironment(spec.hostname, config.env, options.env_files, options.env));
  if (options.terminal == Terminal::kAllocated) AddTerm(spec.env);
  const std::string& user = options.user.empty() ? config.user : options.user;
  VARVE_ASSIGN_OR_RETURN(spec.user, ResolveUserInside(image.root.get(), user, options.security.groups));
  VARVE_RETURN_IF_ERROR(PlanSecurity(options, spec));
  VARVE_ASSIGN_OR_RETURN(spec.labels, LabelsOf(options.labels));
  VARVE_ASSIGN_OR_RETURN(spec.limits, ParseLimits(options.limits));
  return spec;
}

// What the record of a container says beside what was asked for.
void AddWhatTheImageSays(const ContainerConfig& config, RunOptions& options) {
  options.args = CommandArguments(config, options.entrypoint, options.args);
  std::vector<std::string> labels;
  labels.reserve(config.labels.size());
  for (const auto& [key, value] : config.labels) labels.push_back(fmt::format("{}={}", key, value));
  options.labels.insert(options.labels.begin(), labels.begin(), labels.end());
}

// What /etc has of the network. With a network of ours the address is known, and written, at each start.
Result<std::vector<Mount>> EtcFiles(const ContainerRoom& room, const RunOptions& options, const ContainerSpec& spec,
                                    const std::string& bundle) {
  const NetworkOptions& network = options.network;
  if (network.kind() == NetworkKind::kContainer) return MountsOfEtcFiles(room.BundleOf(network.container()));
  const bool named = network.kind() == NetworkKind::kNamed;
  const std::string own_name = network.kind() == NetworkKind::kNone ? spec.hostname : named ? "" : options.hostname;
  return WriteEtcFiles(bundle, spec.hostname, own_name, network);
}

// Adds to `spec` what lies in the bundle, and writes its config.json.
Status WriteBundle(const ContainerRoom& room, const RunOptions& options, const std::string& id, ContainerSpec& spec) {
  const std::string bundle = room.BundleOf(id);
  VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(bundle));
  VARVE_ASSIGN_OR_RETURN(std::vector<Mount> etc_files, EtcFiles(room, options, spec, bundle));
  VARVE_ASSIGN_OR_RETURN(spec.mounts, ArrangeMounts(std::move(etc_files), spec.mounts));
  if (spec.network == NetworkKind::kNamed || spec.network == NetworkKind::kContainer) {
    spec.network_namespace = bundle + kNamespaceInBundle;
    VARVE_RETURN_IF_ERROR(Fs::Real().Open(spec.network_namespace, OpenMode::kCreateNew));  // to be mounted on
  }
  VARVE_ASSIGN_OR_RETURN(const std::string config, OciRuntimeConfig(spec, id));
  VARVE_ASSIGN_OR_RETURN(const auto file, Fs::Real().Open(bundle + "/config.json", OpenMode::kCreateNew));
  return file->WriteAt(0, AsBytes(config));
}

Status AttachImages(const ContainerRecord& record, const std::vector<UniqueFd>& roots) {
  auto root = roots.begin();
  for (const ContainerMount& mount : record.mounts) {
    if (mount.kind != MountKind::kImage) continue;
    VARVE_CHECK(root != roots.end());
    VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(mount.source));
    if (::move_mount((root++)->get(), "", AT_FDCWD, mount.source.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
      return ErrnoError(errno, mount.source);
  }
  return Ok();
}

// In a mount namespace of its own, with the container's directory as working directory.
Status MountAll(const ContainerRoom& room, const ContainerRecord& record, const ContainerRoots& roots,
                const Connection& connection) {
  const std::string directory = room.DirectoryOf(record.id);
  if (::chdir(directory.c_str()) != 0) return ErrnoError(errno, directory);
  const bool thrown_away = record.options.at_end == AtEnd::kRemoved;
  VARVE_ASSIGN_OR_RETURN(const UniqueFd overlay,
                         MountOverlay(roots.image, thrown_away ? Upper::kThrownAway : Upper::kKept));
  VARVE_RETURN_IF_ERROR(AttachImages(record, roots.mounted));
  VARVE_RETURN_IF_ERROR(AddDockerMarks(overlay.get()));
  return ShowNamespace(connection, room.BundleOf(record.id));
}

Status MarkRunning(LockedContainer& container, Keeper keeper, const ProcessId& keeper_process,
                   const ProcessId& process) {
  ContainerState& state = container->state;
  const ContainerState before = state.status == ContainerStatus::kRestarting ? state : ContainerState();
  state = {.status = ContainerStatus::kRunning,
           .keeper = keeper,
           .keeper_process = keeper_process,
           .process = process,
           .started = TimeText(std::chrono::system_clock::now()),
           .exit_code = before.exit_code,
           .restarts = before.restarts};
  VARVE_ASSIGN_OR_RETURN(state.boot, BootId());
  return container.SaveState();
}

Status CheckStartable(const Container& container) {
  if (container.state.status == ContainerStatus::kRunning)
    return Error(Code::kFailedPrecondition, fmt::format("container {} runs already", container.record.name));
  return Ok();
}

// The same error, so that StartExitCode does not take its code, such as kNotFound, for what runc says of the command.
Error Ours(const Error& error) { return Error(Code::kFailedPrecondition, error.message()); }

// Connects it once nothing is left of somebody's start who was killed.
Result<Connection> ConnectAnew(const ContainerRoom& room, LockedContainer& container) {
  VARVE_RETURN_IF_ERROR(container.RemoveTraces());
  Result<Connection> connection = Connect(room, container->record);
  return connection.ok() ? std::move(connection) : Result<Connection>(Ours(connection.error()));
}

// Makes of a container that could not be started what it was `before`, but for why.
Status GiveUp(LockedContainer& container, const ContainerState& before, const Error& error) {
  if (container->record.options.at_end == AtEnd::kRemoved) return container.Remove();
  Status removed = container.RemoveTraces();  // else the next start, removal or sweep tries again
  ContainerState& state = container->state;
  state = before;
  state.status = state.started.empty() ? ContainerStatus::kCreated : ContainerStatus::kExited;
  state.exit_code = StartExitCode(error);
  state.error = error.message();
  VARVE_RETURN_IF_ERROR(container.SaveState());
  return removed;
}

}  // namespace

ContainerRoots RootsOf(RunImage image) {
  ContainerRoots roots{.image = std::move(image.root)};
  for (MountedImage& mounted : image.mounted) roots.mounted.push_back(std::move(mounted.root));
  return roots;
}

Result<LockedContainer> CreateContainer(const ContainerRoom& room, const RunOptions& asked_for, const RunImage& image) {
  VARVE_RETURN_IF_ERROR(room.Sweep());
  const std::string id = NewId();
  RunOptions options = asked_for;
  VARVE_ASSIGN_OR_RETURN(options.network, ResolveNetwork(room, asked_for.network, image.config.config.exposed_ports));
  VARVE_ASSIGN_OR_RETURN(ContainerSpec spec, PlanContainer(room, options, image, id));
  AddWhatTheImageSays(image.config.config, options);
  const std::string& asked = options.stop_signal;
  const std::string stop_signal = asked.empty() ? image.config.config.stop_signal : asked;
  const Result<int> number = stop_signal.empty() ? SIGTERM : ParseSignal(stop_signal);
  if (!number.ok() && !asked.empty()) return number.error();
  VARVE_ASSIGN_OR_RETURN(std::vector<ContainerMount> mounts,
                         PlanMounts(room, options.storage, image.config.config.volumes));
  auto mounted = image.mounted.begin();
  for (ContainerMount& mount : mounts) {
    if (mount.kind != MountKind::kImage) continue;
    VARVE_CHECK(mounted != image.mounted.end());
    mount.source = fmt::format("{}/images/{}", room.DirectoryOf(id), mounted - image.mounted.begin());
    mount.chain_id = (mounted++)->chain_id;
  }
  std::vector<Mount> runtime_mounts;
  std::ranges::transform(mounts, std::back_inserter(runtime_mounts), ToRuntimeMount);
  VARVE_ASSIGN_OR_RETURN(std::vector<Mount> own, OwnMounts(options, spec));
  VARVE_ASSIGN_OR_RETURN(spec.mounts, ArrangeMounts(std::move(own), runtime_mounts));
  const ContainerRecord record{.id = id,
                               .name = options.name,
                               .image = image.name,
                               .image_id = image.id,
                               .chain_id = image.chain_id,
                               .created = TimeText(std::chrono::system_clock::now()),
                               .command = spec.args,
                               .stop_signal = SignalName(number.ok() ? *number : SIGTERM),
                               .options = options,
                               .mounts = std::move(mounts)};
  return room.Create(record, [&](const std::string&) -> Status {
    VARVE_RETURN_IF_ERROR(ProvideMounts(room, id, record.mounts, image.root.get()));
    return WriteBundle(room, options, id, spec);
  });
}

Result<int> RunAsChild(const ContainerRoom& room, LockedContainer container, ContainerRoots roots) {
  VARVE_RETURN_IF_ERROR(CheckStartable(*container));
  const ContainerRecord record = container->record;
  const ContainerState before = container->state;
  std::optional<LockedContainer> held(std::move(container));
  Result<Connection> connection = ConnectAnew(room, *held);
  const auto mark_running = [&](pid_t runc) -> Status {
    VARVE_ASSIGN_OR_RETURN(const ProcessId us, IdentifyProcess(::getpid()));
    VARVE_ASSIGN_OR_RETURN(const ProcessId process, IdentifyProcess(runc));
    VARVE_RETURN_IF_ERROR(MarkRunning(*held, Keeper::kRun, us, process));
    held.reset();
    return Ok();
  };
  const auto run = [&]() -> Result<int> {
    VARVE_ASSIGN_OR_RETURN(const std::string runc, FindRunc());
    VARVE_RETURN_IF_ERROR(MountAll(room, record, roots, *connection));
    return RunBundle(
        runc, {.directory = room.BundleOf(record.id), .id = record.id, .standard_input = record.options.standard_input},
        mark_running);
  };
  Result<int> exit_code =
      connection.ok() ? InPrivateNamespaces(Namespaces::kMountsAndProcesses, run) : connection.error();
  if (held) {  // it did not come so far as to run
    GiveUp(*held, before, Ours(exit_code.error())).IgnoreError("the first error says why");
    return exit_code;
  }
  VARVE_ASSIGN_OR_RETURN(LockedContainer ended, room.Lock(record.id));
  connection->ports.clear();  // who sees its end may want them
  VARVE_RETURN_IF_ERROR(FinishEnd(ended, exit_code.ok() ? *exit_code : kExitVarveFailed));
  return exit_code;
}

Status StartHeld(const ContainerRoom& room, LockedContainer& container, ContainerRoots roots,
                 const std::vector<std::string>& exit_command, const std::function<Status()>& before_start) {
  VARVE_RETURN_IF_ERROR(CheckStartable(*container));
  const ContainerRecord record = container->record;
  VARVE_ASSIGN_OR_RETURN(const std::string runc, FindRunc());
  ConmonOptions conmon{.runc = runc,
                       .id = record.id,
                       .name = record.name,
                       .bundle = room.BundleOf(record.id),
                       .log = room.LogOf(record.id),
                       .standard_input = record.options.standard_input,
                       .terminal = record.options.terminal,
                       .at_end = record.options.at_end,
                       .exit_command = exit_command};
  conmon.exit_command.push_back(record.id);
  const ContainerState before = container->state;
  Held held;
  const Result<Connection> connection = ConnectAnew(room, container);
  const auto begin = [&]() -> Result<int> {
    if (const Status mounted = MountAll(room, record, roots, *connection); !mounted.ok()) return Ours(mounted.error());
    VARVE_ASSIGN_OR_RETURN(held, HoldByConmon(conmon, connection->ports));
    return 0;
  };
  const auto start = [&]() -> Status {
    if (!connection.ok()) return connection.error();
    VARVE_RETURN_IF_ERROR(InPrivateNamespaces(Namespaces::kMounts, begin));
    VARVE_RETURN_IF_ERROR(MarkRunning(container, Keeper::kConmon, held.conmon, held.process));
    VARVE_RETURN_IF_ERROR(before_start());
    VARVE_ASSIGN_OR_RETURN(const Said said,
                           RunProgram({.arguments = {runc, "--root", conmon.bundle + "/runc", "start", record.id}}));
    return said.exit_code == 0 ? Ok() : Status(StartError(said.text));
  };
  Status started = start();
  // Its processes end before the lock is free: who records their end finds that it does not live any more.
  if (!started.ok()) GiveUp(container, before, started.error()).IgnoreError("the first error says why");
  return started;
}

}  // namespace varve
