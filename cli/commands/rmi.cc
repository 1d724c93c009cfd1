#include <fmt/core.h>

#include <algorithm>

#include "cli/cli.h"
#include "cli/listing/print.h"
#include "cli/runtime/room.h"

namespace varve {
namespace {

struct RmiOptions {
  std::vector<std::string> images;
  bool force = false;
};

// docker's rule: an image that a container was made of is not deleted unless that is forced, and while the container
// runs only its names go. One that keeps a name is not deleted.
Status CheckUnused(DaemonClient& daemon, const std::vector<Container>& containers, const std::string& name,
                   const RmiOptions& options) {
  const auto image = daemon.InspectImage(name, DaemonClient::Purpose::kLook);
  if (!image.ok()) return Ok();  // the removal says why
  const bool by_name = !image->reference().empty();
  if (by_name && image->tags_size() > 1) return Ok();
  for (const Container& user : containers) {
    const ContainerRecord& record = user.record;
    const bool mounts = std::ranges::any_of(record.mounts, [&](const ContainerMount& mount) {
      return mount.kind == MountKind::kImage && mount.chain_id == image->chain_id();
    });
    if (record.image_id != image->config_digest() && !mounts) continue;
    const std::string id = ShortId(image->config_digest());
    const std::string container = ShortId(record.id);
    if (by_name && !options.force) {
      return Error(Code::kFailedPrecondition,
                   fmt::format("conflict: unable to remove repository reference \"{}\" (must force) - container {} is "
                               "using its referenced image {}: image is being used by {} container",
                               name, container, id, user.state.live() ? "running" : "stopped"));
    }
    if (!by_name && (user.state.live() || !options.force)) {
      return Error(Code::kFailedPrecondition,
                   fmt::format("conflict: unable to delete {} ({}) - image is being used by {} container {}", id,
                               user.state.live() ? "cannot be forced" : "must be forced",
                               user.state.live() ? "running" : "stopped", container));
    }
  }
  return Ok();
}

Result<int> RunRmi(Session& session, const RmiOptions& options) {
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  VARVE_ASSIGN_OR_RETURN(const auto containers, ContainerRoom(session.paths().containers()).List());
  return ForEach(options.images, [&](const std::string& image) -> Status {
    VARVE_RETURN_IF_ERROR(CheckUnused(daemon, containers, image, options));
    v1::RemoveImageRequest request;
    request.set_image(image);
    request.set_force(options.force);
    VARVE_ASSIGN_OR_RETURN(const v1::RemoveImageReply removed, daemon.RemoveImage(request));
    for (const std::string& name : removed.untagged()) fmt::print("Untagged: {}\n", name);
    for (const std::string& digest : removed.deleted()) fmt::print("Deleted: {}\n", digest);
    return Ok();
  });
}

}  // namespace

void AddRmi(Cli& cli) {
  auto options = std::make_shared<RmiOptions>();
  CLI::App* command =
      cli.app.add_subcommand("rmi", "Remove names, and images that have none left; prune gives the space back");
  command->add_option("IMAGE", options->images, "names or ids")->required();
  command->add_flag("-f,--force", options->force,
                    "though a container was made of it; an id that has several names: remove them all");
  SetAction(cli, command, options, RunRmi);
}

}  // namespace varve
