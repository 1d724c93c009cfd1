#include <fmt/core.h>

#include <limits>

#include "cached/oci/image_config.h"
#include "cli/cli.h"
#include "cli/documents.h"
#include "cli/listing/print.h"

namespace varve {
namespace {

struct TreeOptions {
  std::string image;
  std::uint32_t files = 10;
  bool json = false;
};

constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kCreatedByWidth = 60;

// What has made each layer, lowest first, as far as the image tells.
std::vector<std::string> OriginsOf(const ImageConfig& config) {
  std::vector<std::string> origins;
  for (const auto& entry : config.history) {
    if (!entry.empty_layer) origins.push_back(entry.created_by);
  }
  return origins;
}

void Print(const v1::TreeLayer& layer, std::size_t number, const std::string& origin) {
  fmt::print("layer {}  {}  {} in {} files", number, ShortId(layer.diff_id()), HumanSize(layer.file_bytes()),
             layer.files());
  if (layer.whiteouts() > 0) fmt::print(", hides {} names", layer.whiteouts());
  fmt::print("{}{}\n", origin.empty() ? "" : "  ", CellOf(origin, kCreatedByWidth));
  std::uint64_t rest_bytes = layer.file_bytes();
  for (const auto& file : layer.biggest()) {
    fmt::print("  {:>9}  {}\n", HumanSize(file.size_bytes()), CellOf(file.path(), kAll));
    rest_bytes -= file.size_bytes();
  }
  const std::uint64_t rest = layer.files() - static_cast<std::uint64_t>(layer.biggest_size());
  if (rest > 0 && layer.biggest_size() > 0) fmt::print("  {:>9}  in {} others\n", HumanSize(rest_bytes), rest);
}

Result<int> RunTree(Session& session, const TreeOptions& options) {
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  VARVE_ASSIGN_OR_RETURN(const v1::ImageDetail image, daemon.InspectImage(options.image, DaemonClient::Purpose::kLook));
  VARVE_ASSIGN_OR_RETURN(const ImageConfig config, ParseImageConfig(AsBytes(image.config())));
  const std::vector<std::string> origins = OriginsOf(config);
  v1::TreeRequest request;
  request.set_image(options.image);
  request.set_most_files(options.files);
  std::size_t number = 0;
  VARVE_RETURN_IF_ERROR(daemon.Tree(request, [&](const v1::TreeLayer& layer) {
    const std::string origin = number < origins.size() ? origins[number] : "";
    ++number;
    if (options.json) {
      fmt::print("{}\n", TreeLayerJson(layer, number, origin));
    } else {
      Print(layer, number, origin);
    }
  }));
  return 0;
}

}  // namespace

void AddTree(Cli& cli) {
  auto options = std::make_shared<TreeOptions>();
  CLI::App* command = cli.app.add_subcommand("tree", "Show what each layer of an image adds, biggest files first");
  command->add_option("IMAGE", options->image, "name or id")->required();
  command->add_option("-n,--files", options->files, "how many files of each layer (10, at most 1000)")
      ->check(CLI::Range(0, 1000));
  command->add_flag("--json", options->json, "an object a layer and line");
  SetAction(cli, command, options, RunTree);
}

}  // namespace varve
