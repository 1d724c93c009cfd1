#include <fmt/core.h>

#include "cached/oci/image_config.h"
#include "cli/cli.h"
#include "cli/print.h"

namespace varve {
namespace {

constexpr std::size_t kCreatedByWidth = 45;  // docker's

struct HistoryOptions {
  std::string image;
  bool quiet = false;
  bool no_trunc = false;
};

Result<int> RunHistory(Session& session, const HistoryOptions& options) {
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  VARVE_ASSIGN_OR_RETURN(const v1::ImageDetail image, daemon.InspectImage(options.image, DaemonClient::Purpose::kLook));
  VARVE_ASSIGN_OR_RETURN(const ImageConfig config, ParseImageConfig(AsBytes(image.config())));
  Table table({"IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"});
  int layer = image.layer_bytes_size();
  for (std::size_t i = config.history.size(); i-- > 0;) {
    const HistoryEntry& entry = config.history[i];
    const bool top = i + 1 == config.history.size();
    const std::string id = !top               ? "<missing>"
                           : options.no_trunc ? image.config_digest()
                                              : ShortId(image.config_digest());
    const std::uint64_t size = entry.empty_layer || layer == 0 ? 0 : image.layer_bytes(--layer);
    std::string created_by = entry.created_by;
    if (!options.no_trunc && created_by.size() > kCreatedByWidth)
      created_by = created_by.substr(0, kCreatedByWidth - 1) + "…";
    if (options.quiet) fmt::print("{}\n", id);
    table.Add({id, AgoOf(entry.created), created_by, HumanSize(size), entry.comment});
  }
  if (!options.quiet) fmt::print("{}", table.ToString());
  return 0;
}

}  // namespace

void AddHistory(Cli& cli) {
  auto options = std::make_shared<HistoryOptions>();
  CLI::App* command = cli.app.add_subcommand("history", "Show how an image was made, newest first");
  command->add_option("IMAGE", options->image, "name or id")->required();
  command->add_flag("-q,--quiet", options->quiet, "print ids only");
  command->add_flag("--no-trunc", options->no_trunc, "cut nothing off");
  SetAction(cli, command, options, RunHistory);
}

}  // namespace varve
