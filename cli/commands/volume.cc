#include <fmt/core.h>
#include <fmt/ranges.h>

#include "cli/cli.h"
#include "cli/documents.h"
#include "cli/listing/filters.h"
#include "cli/listing/rows.h"
#include "cli/runtime/key_value.h"
#include "cli/runtime/names.h"
#include "cli/runtime/room.h"
#include "cli/runtime/time_text.h"
#include "cli/runtime/walk_tree.h"
#include "cli/volume_documents.h"

namespace varve {
namespace {

using Users = std::map<std::string, std::vector<std::string>>;

struct VolumeOptions {
  std::vector<std::string> names;
  std::vector<std::string> labels;
  std::vector<std::string> filters;
  std::string driver = "local";
  std::string format;
  bool quiet = false;
  bool force = false;
  bool all = false;
};

ContainerRoom RoomOf(const Session& session) { return ContainerRoom(session.paths().containers()); }

Result<int> RunCreate(Session& session, const VolumeOptions& options) {
  const Volume volume{.name = options.names.empty() ? NewId() : options.names.front(),
                      .created = TimeText(std::chrono::system_clock::now()),
                      .labels = LabelsFrom(options.labels),
                      .anonymous = options.names.empty()};
  VARVE_ASSIGN_OR_RETURN(LockedVolumes volumes, RoomOf(session).volumes().Lock());
  VARVE_RETURN_IF_ERROR(volumes.Provide(volume, std::nullopt).In("create " + volume.name));
  fmt::print("{}\n", volume.name);
  return 0;
}

Result<int> RunLs(Session& session, const VolumeOptions& options) {
  VARVE_ASSIGN_OR_RETURN(const Filters filters,
                         Filters::Parse(options.filters, {"dangling", "driver", "label", "label!", "name"}));
  VARVE_ASSIGN_OR_RETURN(const bool dangling, filters.Flag("dangling", false));
  const ContainerRoom room = RoomOf(session);
  VARVE_ASSIGN_OR_RETURN(const std::vector<Volume> volumes, room.volumes().List());
  VARVE_ASSIGN_OR_RETURN(const Users users, room.VolumeUsers());
  std::vector<std::string> rows;
  for (const Volume& volume : volumes) {
    const bool unused = !users.contains(volume.name);
    if ((filters.Of("dangling").empty() || unused == dangling) &&
        filters.Pass("driver", [](const std::string& driver) { return driver == "local"; }) &&
        filters.PassName(volume.name) && filters.PassLabels(volume.labels))
      rows.push_back(VolumeRowJson(room.volumes(), volume));
  }
  VARVE_ASSIGN_OR_RETURN(const std::string text,
                         FormatRows(options.quiet ? "{{.Name}}" : options.format, "{{.Driver}}\t{{.Name}}",
                                    {{"Driver", "DRIVER"},
                                     {"Name", "VOLUME NAME"},
                                     {"Scope", "SCOPE"},
                                     {"Mountpoint", "MOUNTPOINT"},
                                     {"Labels", "LABELS"}},
                                    rows));
  fmt::print("{}", text);
  return 0;
}

Result<int> RunInspect(Session& session, const VolumeOptions& options) {
  const VolumeRoom volumes = RoomOf(session).volumes();
  std::vector<std::string> objects;
  const int exit_code = ForEach(options.names, [&](const std::string& name) -> Status {
    VARVE_ASSIGN_OR_RETURN(const Volume volume, volumes.Find(name));
    objects.push_back(InspectVolumeJson(volumes, volume));
    return Ok();
  });
  VARVE_ASSIGN_OR_RETURN(const std::string text, FormatDocuments(options.format, objects));
  fmt::print("{}", text);
  return exit_code;
}

Result<int> RunRm(Session& session, const VolumeOptions& options) {
  const ContainerRoom room = RoomOf(session);
  VARVE_RETURN_IF_ERROR(room.Sweep());
  return ForEach(options.names, [&](const std::string& name) -> Status {
    VARVE_ASSIGN_OR_RETURN(LockedVolumes volumes, room.volumes().Lock());
    const Result<Volume> found = room.volumes().Find(name);
    if (!found.ok() && !(options.force && found.error().code() == Code::kNotFound)) return found.error();
    VARVE_ASSIGN_OR_RETURN(const Users users, room.VolumeUsers());
    if (const auto user = users.find(name); user != users.end()) {
      return Error(Code::kFailedPrecondition,
                   fmt::format("remove {}: volume is in use - [{}]", name, fmt::join(user->second, ", ")));
    }
    if (found.ok()) VARVE_RETURN_IF_ERROR(volumes.Remove(name));
    fmt::print("{}\n", name);
    return Ok();
  });
}

Result<int> RunPrune(Session& session, const VolumeOptions& options) {
  VARVE_ASSIGN_OR_RETURN(const Filters filters, Filters::Parse(options.filters, {"all", "label", "label!"}));
  VARVE_ASSIGN_OR_RETURN(const bool all, filters.Flag("all", options.all));
  const std::string which = all ? "all local volumes" : "anonymous local volumes";
  if (!options.force && !Confirm("WARNING! This will remove " + which + " not used by at least one container."))
    return 0;
  const ContainerRoom room = RoomOf(session);
  VARVE_RETURN_IF_ERROR(room.Sweep());
  VARVE_ASSIGN_OR_RETURN(LockedVolumes locked, room.volumes().Lock());
  VARVE_ASSIGN_OR_RETURN(const std::vector<Volume> volumes, room.volumes().List());
  VARVE_ASSIGN_OR_RETURN(const Users users, room.VolumeUsers());
  std::uint64_t reclaimed = 0;
  std::string deleted;
  for (const Volume& volume : volumes) {
    if (users.contains(volume.name) || !filters.PassLabels(volume.labels) || !(all || volume.anonymous)) continue;
    const std::uint64_t bytes = DiskBytes(room.volumes().DataOf(volume.name));
    VARVE_RETURN_IF_ERROR(locked.Remove(volume.name));
    reclaimed += bytes;
    deleted += volume.name + "\n";
  }
  if (!deleted.empty()) fmt::print("Deleted Volumes:\n{}\n", deleted);
  fmt::print("Total reclaimed space: {}\n", HumanSize(reclaimed));
  return 0;
}

}  // namespace

void AddVolume(Cli& cli) {
  CLI::App* volume = cli.app.add_subcommand("volume", "What outlives the containers that mount it");
  volume->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, Result<int> (*run)(Session&, const VolumeOptions&)) {
    auto options = std::make_shared<VolumeOptions>();
    CLI::App* command = volume->add_subcommand(name, help);
    SetAction(cli, command, options, run);
    return std::pair(command, options.get());
  };
  auto [create, create_options] = add("create", "Make a volume, and print its name", RunCreate);
  create->add_option("NAME", create_options->names, "its name; without, it gets one")->expected(0, 1);
  create->add_option("--label", create_options->labels, "NAME[=value]")->allow_extra_args(false);
  create->add_option("-d,--driver", create_options->driver, "local")->check(CLI::IsMember({"local"}));
  auto [ls, ls_options] = add("ls", "List volumes", RunLs);
  ls->add_flag("-q,--quiet", ls_options->quiet, "print names only");
  ls->add_option("-f,--filter", ls_options->filters, "dangling=, driver=, label=, name=")->allow_extra_args(false);
  ls->add_option("--format", ls_options->format, kFormatHelp);
  auto [inspect, inspect_options] = add("inspect", "Show volumes as docker-shaped JSON", RunInspect);
  inspect->add_option("VOLUME", inspect_options->names, "names")->required();
  inspect->add_option("-f,--format", inspect_options->format, kDocumentsFormatHelp);
  auto [rm, rm_options] = add("rm", "Remove volumes that no container mounts", RunRm);
  rm->add_option("VOLUME", rm_options->names, "names")->required();
  rm->add_flag("-f,--force", rm_options->force, "those that are not there are no error");
  auto [prune, prune_options] = add("prune", "Remove anonymous volumes that no container mounts", RunPrune);
  prune->add_flag("-a,--all", prune_options->all, "named ones too");
  prune->add_flag("-f,--force", prune_options->force, "do not ask");
  prune->add_option("--filter", prune_options->filters, "all=, label=, label!=")->allow_extra_args(false);
}

}  // namespace varve
