#include <fmt/core.h>

#include <set>

#include "cli/cli.h"
#include "cli/documents.h"
#include "cli/listing/print.h"
#include "cli/listing/rows.h"
#include "cli/mounts.h"
#include "cli/runtime/room.h"
#include "cli/runtime/walk_tree.h"

namespace varve {
namespace {

struct UsageOptions {
  bool verbose = false;
  bool json = false;
  std::string format;
};

// Adds to `row` a thing of so many bytes; what is not active can be reclaimed.
void Count(UsageRow& row, std::uint64_t bytes, bool active, std::uint64_t exclusive_bytes) {
  ++row.count;
  row.bytes += bytes;
  if (active) {
    ++row.active;
  } else {
    row.reclaimable_bytes += exclusive_bytes;
  }
}

// docker's rows. An image is active that a container or a mount uses; what of the others can be reclaimed is what no
// other image has.
Result<std::vector<UsageRow>> RowsOf(const Session& session, const v1::UsageReply& usage) {
  const ContainerRoom room(session.paths().containers());
  std::set<std::string> used_chain_ids;
  UsageRow images{.type = "Images"}, containers{.type = "Containers"}, volumes{.type = "Local Volumes"};
  VARVE_ASSIGN_OR_RETURN(const std::vector<Container> all, room.List());
  for (const Container& container : all) {
    used_chain_ids.insert(container.record.chain_id);
    for (const ContainerMount& mount : container.record.mounts) {
      if (mount.kind == MountKind::kImage) used_chain_ids.insert(mount.chain_id);
    }
    const std::uint64_t bytes = DiskBytes(room.DirectoryOf(container.record.id));
    Count(containers, bytes, container.state.live(), bytes);
  }
  VARVE_ASSIGN_OR_RETURN(const std::vector<UserMount> mounts, ListMounts(session.paths()));
  for (const UserMount& mount : mounts) used_chain_ids.insert(mount.chain_id);
  VARVE_ASSIGN_OR_RETURN(const std::vector<Volume> kept, room.volumes().List());
  VARVE_ASSIGN_OR_RETURN(const auto users, room.VolumeUsers());
  for (const Volume& volume : kept) {
    const std::uint64_t bytes = DiskBytes(room.volumes().DataOf(volume.name));
    Count(volumes, bytes, users.contains(volume.name), bytes);
  }
  for (const auto& image : usage.per_image())
    Count(images, 0, used_chain_ids.contains(image.chain_id()), image.exclusive_bytes());
  for (const std::string& directory : {session.paths().packs(), session.paths().index(), session.paths().db()}) {
    const std::uint64_t bytes = DiskBytes(directory);
    images.bytes += bytes;
  }
  return std::vector<UsageRow>{images, containers, volumes};
}

Status PrintRows(const Session& session, const v1::UsageReply& usage, const std::string& format) {
  VARVE_ASSIGN_OR_RETURN(const std::vector<UsageRow> counted, RowsOf(session, usage));
  std::vector<std::string> rows;
  rows.reserve(counted.size());
  for (const UsageRow& row : counted) rows.push_back(UsageRowJson(row));
  VARVE_ASSIGN_OR_RETURN(const std::string text,
                         FormatRows(format, "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
                                    {{"Type", "TYPE"},
                                     {"TotalCount", "TOTAL"},
                                     {"Active", "ACTIVE"},
                                     {"Size", "SIZE"},
                                     {"Reclaimable", "RECLAIMABLE"}},
                                    rows));
  fmt::print("{}", text);
  return Ok();
}

Result<int> RunUsage(Session& session, const UsageOptions& options) {
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  v1::UsageRequest request;
  request.set_per_image(options.verbose || !options.format.empty());
  VARVE_ASSIGN_OR_RETURN(const v1::UsageReply usage, daemon.Usage(request));
  if (!options.format.empty()) {
    VARVE_RETURN_IF_ERROR(PrintRows(session, usage, options.format));
    return 0;
  }
  if (options.json) {
    fmt::print("{}\n", UsageJson(usage));
    return 0;
  }
  fmt::print("images          {}\nlayers          {}\nchunks          {}\n", usage.images(), usage.layers(),
             usage.chunks());
  fmt::print("raw             {}  (sum over images of their uncompressed layers)\n", HumanSize(usage.raw_bytes()));
  fmt::print("layers once     {}\n", HumanSize(usage.layer_bytes()));
  fmt::print("originals       {}  ({} blobs of repositories, as they were pushed)\n", HumanSize(usage.original_bytes()),
             usage.originals());
  fmt::print("on disk         {}\ndedup ratio     {:.2f}\n", HumanSize(usage.stored_bytes()), usage.dedup_ratio());
  if (!options.verbose) return 0;
  Table table({"IMAGE", "RAW", "EXCLUSIVE", "SHARED"});
  for (const auto& image : usage.per_image()) {
    table.Add({image.name(), HumanSize(image.raw_bytes()), HumanSize(image.exclusive_bytes()),
               HumanSize(image.shared_bytes())});
  }
  fmt::print("\n{}", table.ToString());
  return 0;
}

}  // namespace

void AddSystemDf(Cli& cli, CLI::App* system) {
  auto options = std::make_shared<UsageOptions>();
  CLI::App* command = system->add_subcommand("df", "Show what is stored, and what deduplication saves");
  CLI::Option* verbose =
      command->add_flag("-v,--verbose", options->verbose, "exclusive and shared bytes of each image");
  CLI::Option* json = command->add_flag("--json", options->json, "for machines");
  command->add_option("--format", options->format, "docker's rows: json, table, or a template, maybe after \"table \"")
      ->excludes(verbose)
      ->excludes(json);
  SetAction(cli, command, options, RunUsage);
}

}  // namespace varve
