#include "cli/archive/output_file.h"
#include "cli/archive/tree_tar.h"
#include "cli/cli.h"
#include "cli/containers.h"

namespace varve {
namespace {

struct ExportOptions {
  std::string output;
  std::string container;
};

Result<int> RunExport(Session& session, const ExportOptions& options) {
  VARVE_ASSIGN_OR_RETURN(OutputFile output, OutputFile::Open(options.output));
  VARVE_RETURN_IF_ERROR(WithFilesOf(session, options.container, ShownMounts::kNone, [&](const Container&, int root) {
    return WriteTree(root, "", std::nullopt, [&](ByteSpan piece) { return output.Write(piece); });
  }));
  VARVE_RETURN_IF_ERROR(output.Publish());
  return 0;
}

}  // namespace

void AddExport(Cli& cli) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App* command =
      cli.app.add_subcommand("export", "Write the file system of a container to a tar, without volumes");
  command->add_option("-o,--output", options->output, "file to write; default standard output");
  command->add_option("CONTAINER", options->container, "name, id or beginning of an id")->required();
  SetAction(cli, command, options, RunExport);
}

}  // namespace varve
