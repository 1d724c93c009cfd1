#include "cli/archive/save.h"

#include "cli/archive/output_file.h"
#include "cli/cli.h"

namespace varve {
namespace {

struct SaveOptions {
  std::string output;
  std::vector<std::string> images;
};

Status Save(Session& session, const SaveOptions& options) {
  VARVE_ASSIGN_OR_RETURN(OutputFile destination, OutputFile::Open(options.output));
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  VARVE_ASSIGN_OR_RETURN(TarOutput tar, TarOutput::Create(destination.fd()));
  VARVE_RETURN_IF_ERROR(SaveImages(daemon, options.images, tar));
  return destination.Publish();
}

Result<int> RunSave(Session& session, const SaveOptions& options) {
  VARVE_RETURN_IF_ERROR(Save(session, options).In("save"));
  return 0;
}

}  // namespace

void AddSave(Cli& cli) {
  auto options = std::make_shared<SaveOptions>();
  CLI::App* command = cli.app.add_subcommand("save", "Write images to an archive that docker and OCI tools read");
  command->add_option("-o,--output", options->output, "file to write; default standard output");
  command->add_option("IMAGE", options->images, "names or ids, one or more")->required();
  SetAction(cli, command, options, RunSave);
}

}  // namespace varve
