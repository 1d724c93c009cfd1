#include <fmt/core.h>

#include "cli/cli.h"
#include "cli/documents.h"
#include "cli/listing/rows.h"
#include "cli/mounts.h"

namespace varve {
namespace {

struct MountOptions {
  std::string image;
  std::string directory;
  bool writable = false;
  std::string upper;
  bool suid = false;
};

Result<int> RunMount(Session& session, const MountOptions& options) {
  VARVE_RETURN_IF_ERROR(CheckMountPoint(session.paths(), options.directory).In("mount"));
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  VARVE_ASSIGN_OR_RETURN(const v1::ImageDetail image, daemon.InspectImage(options.image, DaemonClient::Purpose::kUse));
  VARVE_ASSIGN_OR_RETURN(const Digest chain, Digest::FromHexText(image.chain_id()));
  const ChainId chain_id{chain};
  VARVE_ASSIGN_OR_RETURN(const UniqueFd root, session.ImageRoot(daemon, image));
  const SetuidFiles setuid_files = options.suid ? SetuidFiles::kHonoured : SetuidFiles::kIgnored;
  if (options.writable) {
    VARVE_RETURN_IF_ERROR(
        AttachWritable(session.paths(), chain_id, root, options.directory, options.upper, setuid_files).In("mount"));
  } else {
    VARVE_RETURN_IF_ERROR(AttachImage(root, options.directory, setuid_files).In("mount"));
  }
  return 0;
}

struct UmountOptions {
  std::vector<std::string> directories;
  bool lazy = false;
};

// Each directory gets its turn, whatever became of those before it.
Result<int> RunUmount(Session& session, const UmountOptions& options) {
  int exit_code = 0;
  for (const std::string& directory : options.directories) {
    const Status unmounted = Unmount(session.paths(), directory, options.lazy ? Busy::kDetached : Busy::kRefused);
    if (unmounted.ok()) continue;
    fmt::print(stderr, "Error: umount: {}\n", unmounted.error().message());
    exit_code = kFailure;
  }
  return exit_code;
}

struct MountsOptions {
  std::string format;
};

Result<int> RunMounts(Session& session, const MountsOptions& options) {
  VARVE_ASSIGN_OR_RETURN(const std::vector<UserMount> mounts, ListMounts(session.paths()));
  std::vector<std::string> rows;
  rows.reserve(mounts.size());
  for (const UserMount& mount : mounts) rows.push_back(MountRowJson(mount));
  VARVE_ASSIGN_OR_RETURN(
      const std::string text,
      FormatRows(options.format, "{{.Directory}}\t{{.Mode}}\t{{if .ChainID}}{{truncate .ChainID 12}}{{else}}-{{end}}",
                 {{"Directory", "DIRECTORY"}, {"Mode", "MODE"}, {"ChainID", "CHAIN ID"}}, rows));
  fmt::print("{}", text);
  return 0;
}

}  // namespace

void AddMount(Cli& cli) {
  auto mount = std::make_shared<MountOptions>();
  CLI::App* command = cli.app.add_subcommand("mount", "Mount an image, without extracting it");
  command->add_option("IMAGE", mount->image, "name, id, or NAME@layer:N for the image as of layer N (1 is the lowest)")
      ->required();
  command->add_option("DIRECTORY", mount->directory, "an existing directory")->required();
  CLI::Option* writable =
      command->add_flag("--rw", mount->writable, "writable; what is written is thrown away by umount");
  command->add_option("--upper", mount->upper, "with --rw: keep what is written in this directory")->needs(writable);
  command->add_flag("--suid", mount->suid, "honour setuid files and file capabilities");
  SetAction(cli, command, mount, RunMount);

  auto umount = std::make_shared<UmountOptions>();
  command = cli.app.add_subcommand("umount", "Unmount what varve has mounted");
  command->add_option("DIRECTORY", umount->directories, "where it is mounted")->required();
  command->add_flag("-l,--lazy", umount->lazy, "detach it now, even if it is busy");
  SetAction(cli, command, umount, RunUmount);

  auto mounts = std::make_shared<MountsOptions>();
  command = cli.app.add_subcommand("mounts", "List what varve has mounted here");
  command->add_option("--format", mounts->format, kFormatHelp);
  SetAction(cli, command, mounts, RunMounts);
}

}  // namespace varve
