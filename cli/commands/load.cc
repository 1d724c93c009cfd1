#include <fmt/core.h>

#include "cached/oci/reference.h"
#include "cli/archive/image_source.h"
#include "cli/archive/plain_file.h"
#include "cli/cli.h"
#include "cli/transfer_progress.h"

namespace varve {
namespace {

struct LoadOptions {
  std::string input = kStandardInput;
  std::string platform;
  bool quiet = false;
};

void PrintLoaded(const SourceImage& image) {
  for (const std::string& name : image.names) {
    const auto reference = Reference::Parse(name);
    fmt::print("Loaded image: {}\n", reference.ok() ? reference->Familiar() : name);
  }
  if (image.names.empty()) fmt::print("Loaded image ID: {}\n", image.config_digest.ToString());
}

Status Load(Session& session, const LoadOptions& options) {
  VARVE_ASSIGN_OR_RETURN(const Platform platform, Platform::ParseOrHost(options.platform));
  VARVE_ASSIGN_OR_RETURN(const auto files, OpenImageFiles(options.input));
  VARVE_ASSIGN_OR_RETURN(const std::vector<SourceImage> images, FindImages(*files, platform));
  if (images.empty()) return Error(Code::kInvalidArgument, files->what() + ": no images");
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  const bool bars = !options.quiet && TransferProgress::StyleOfOutput() == TransferProgress::Style::kTerminal;
  for (const SourceImage& image : images) {
    TransferProgress progress(bars ? TransferProgress::Style::kTerminal : TransferProgress::Style::kQuiet);
    VARVE_RETURN_IF_ERROR(LoadImage(daemon, *files, image, [&](const v1::PullEvent& event) { progress.Show(event); }));
    PrintLoaded(image);
  }
  return Ok();
}

Result<int> RunLoad(Session& session, const LoadOptions& options) {
  VARVE_RETURN_IF_ERROR(Load(session, options).In("load"));
  return 0;
}

}  // namespace

void AddLoad(Cli& cli) {
  auto options = std::make_shared<LoadOptions>();
  CLI::App* command = cli.app.add_subcommand("load", "Bring the images of an archive into the store");
  command->add_option("-i,--input", options->input, "archive, or directory with an OCI layout; default standard input");
  command->add_option("--platform", options->platform, "os/arch[/variant] to choose from a multi-platform image");
  command->add_flag("-q,--quiet", options->quiet, "print the images' names only");
  SetAction(cli, command, options, RunLoad);
}

}  // namespace varve
