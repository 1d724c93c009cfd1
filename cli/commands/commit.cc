#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <cerrno>
#include <chrono>

#include "cached/content/sha256.h"
#include "cached/oci/reference.h"
#include "cli/archive/commit_config.h"
#include "cli/archive/tree_tar.h"
#include "cli/cli.h"
#include "cli/containers.h"
#include "cli/runtime/exec.h"
#include "cli/runtime/key_value.h"
#include "cli/runtime/pause.h"

// The layer goes from the upper directory to the daemon as a stream, without a copy on disk. Its digest has to be said
// before it is sent, so it is made twice, the second time from the page cache; the daemon compares. Until it has all of
// it, nothing is visible.

namespace varve {
namespace {

struct CommitOptions {
  std::string container;
  std::string reference;
  std::string author;
  std::string message;
  std::vector<std::string> changes;
  bool pause = true;
};

Result<UniqueFd> OpenUpper(const ContainerRoom& room, const ContainerRecord& record) {
  const std::string path = room.DirectoryOf(record.id) + "/upper";
  UniqueFd upper(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!upper.valid()) return ErrnoError(errno, path);
  return upper;
}

// What a container of the image would be by these options.
Result<CommittedImage> CommittedOf(const ContainerRoom& room, const ContainerRecord& record,
                                   const CommitOptions& options) {
  const RunOptions& run = record.options;
  CommittedImage image{.user = run.user, .working_dir = run.workdir, .stop_signal = run.stop_signal};
  VARVE_ASSIGN_OR_RETURN(image.env, EnvironmentOf(room, record.id));
  std::erase_if(image.env, [&](const std::string& line) {  // what each container has of its own
    return line.starts_with("HOSTNAME=") || (run.terminal == Terminal::kAllocated && line == "TERM=xterm");
  });
  if (run.entrypoint) {
    image.entrypoint = run.entrypoint->empty() ? std::vector<std::string>() : std::vector{*run.entrypoint};
    image.cmd = run.args;
  } else if (!run.args.empty()) {
    image.cmd = run.args;
  }
  for (const ContainerMount& mount : record.mounts) {
    if (mount.anonymous) image.volumes.push_back(mount.destination);
  }
  for (const std::string& label : run.labels) image.labels.push_back(SplitAtEquals(label));
  image.changes = options.changes;
  image.created = fmt::format("{:%FT%TZ}", fmt::gmtime(std::chrono::system_clock::now()));
  image.author = options.author;
  image.comment = options.message;
  image.created_by = fmt::format("{}", fmt::join(record.command, " "));
  return image;
}

// The image that it was made of, whole.
Result<v1::ImageDetail> BaseOf(DaemonClient& daemon, const ContainerRecord& record) {
  Result<v1::ImageDetail> base = daemon.InspectImage(record.image_id, DaemonClient::Purpose::kUse);
  if (!base.ok() && base.error().code() == Code::kNotFound) {
    return Error(Code::kNotFound, fmt::format("its image {} ({}) is not in the store any more; pull it again",
                                              record.image, record.image_id));
  }
  if (base.ok() && base->chain_id() != record.chain_id)
    return Error(Code::kFailedPrecondition, "it was made of some layers of " + record.image + " only");
  return base;
}

// The new image's id.
Result<Digest> Commit(DaemonClient& daemon, const ContainerRoom& room, const ContainerRecord& record,
                      const UniqueFd& lower, const CommitOptions& options) {
  v1::LoadRequest::Start start;
  if (!options.reference.empty()) {
    VARVE_ASSIGN_OR_RETURN(const Reference name, Reference::Parse(options.reference));
    if (name.digest) return Error(Code::kInvalidArgument, options.reference + ": a tag cannot be a digest");
    start.set_reference(name.Canonical());
  }
  VARVE_ASSIGN_OR_RETURN(const v1::ImageDetail base, BaseOf(daemon, record));
  VARVE_ASSIGN_OR_RETURN(CommittedImage image, CommittedOf(room, record, options));
  VARVE_RETURN_IF_ERROR(CommitConfigJson(AsBytes(base.config()), image));  // what is wrong of it is said first
  VARVE_ASSIGN_OR_RETURN(const UniqueFd upper, OpenUpper(room, record));
  const auto send_layer = [&](const TreeTar::Sink& sink) { return WriteLayer(upper.get(), lower.get(), sink); };
  Sha256 hash;
  CommittedLayer layer{};
  VARVE_RETURN_IF_ERROR(send_layer([&](ByteSpan piece) -> Status {
    hash.Update(piece);
    layer.tar_bytes += piece.size();
    return Ok();
  }));
  image.diff_id = layer.diff_id = hash.Finish();
  VARVE_ASSIGN_OR_RETURN(const std::string config, CommitConfigJson(AsBytes(base.config()), image));
  VARVE_ASSIGN_OR_RETURN(const std::string manifest, CommitManifestJson(AsBytes(base.manifest()), config, layer));
  start.set_config(config);
  start.set_manifest(manifest);
  VARVE_RETURN_IF_ERROR(daemon.Load(
      start,
      [&](const std::string& digest, const DaemonClient::Send& send) -> Status {
        if (digest == layer.diff_id.ToString()) return send_layer(send);
        return Error(Code::kDataLoss, "layer " + digest + " of its image is damaged; pull that again");
      },
      [](const v1::PullEvent&) {}));
  daemon.EndLease(base).IgnoreError("it ends by itself");
  return Sha256Of(AsBytes(config));
}

Result<int> RunCommit(Session& session, const CommitOptions& options) {
  const ContainerRoom room(session.paths().containers());
  VARVE_ASSIGN_OR_RETURN(const Container found, room.Find(options.container));
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  VARVE_ASSIGN_OR_RETURN(const UniqueFd lower, RootOf(session, found.record));
  Result<Digest> id = Error(Code::kInternal, "nothing was committed");
  // One that was never started gets its upper directory here, and none that does not run is started meanwhile.
  VARVE_RETURN_IF_ERROR(
      WithFilesOf(session, found.record.id, ShownMounts::kNone, [&](const Container& container, int) -> Status {
        const auto work = [&]() -> Status {
          id = Commit(daemon, room, container.record, lower, options);
          return id.ok() ? Ok() : Status(id.error());
        };
        const bool runs = container.state.status == ContainerStatus::kRunning;
        return runs && options.pause ? WhilePaused(room, container, work) : work();
      }).In("commit " + options.container));
  fmt::print("{}\n", id->ToString());
  return 0;
}

}  // namespace

void AddCommit(Cli& cli) {
  auto options = std::make_shared<CommitOptions>();
  CLI::App* command = cli.app.add_subcommand("commit", "Make an image of a container and what it has written");
  command->add_option("-a,--author", options->author, "who made it");
  command->add_option("-m,--message", options->message, "comment in its history");
  command->add_option("-c,--change", options->changes, "instruction of a Dockerfile to apply to the config")
      ->allow_extra_args(false);
  command->add_flag("-p,--pause", options->pause, "freeze the container meanwhile (--pause=false: do not)");
  command->add_option("CONTAINER", options->container, "name, id or beginning of an id")->required();
  command->add_option("NAME", options->reference, "NAME[:TAG] to give it");
  SetAction(cli, command, options, RunCommit);
}

}  // namespace varve
