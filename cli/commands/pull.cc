#include "cli/pull.h"

#include <fmt/core.h>

#include "cached/oci/reference.h"
#include "cli/archive/image_source.h"
#include "cli/cli.h"
#include "cli/documents.h"

namespace varve {
namespace {

struct PullCommandOptions {
  PullOptions pull;
  bool quiet = false;
  bool json = false;
};

Status PullAndShow(Session& session, const PullCommandOptions& options) {
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  TransferProgress progress(options.json    ? TransferProgress::Style::kJson
                            : options.quiet ? TransferProgress::Style::kQuiet
                                            : TransferProgress::StyleOfOutput());
  VARVE_RETURN_IF_ERROR(PullFrom(daemon, options.pull, progress));
  progress.Finish();
  return Ok();
}

Result<int> RunPull(Session& session, const PullCommandOptions& options) {
  const Status pulled = PullAndShow(session, options);
  if (pulled.ok()) return 0;
  if (!options.json) return pulled.error();
  fmt::print("{}\n", ErrorJson(pulled.error()));
  return kFailure;
}

}  // namespace

Status PullFrom(DaemonClient& daemon, const PullOptions& options, TransferProgress& progress) {
  const auto show = [&](const v1::PullEvent& event) { progress.Show(event); };
  const ImageLocation source = ImageLocation::Parse(options.source);
  if (source.in_files()) {
    VARVE_ASSIGN_OR_RETURN(const Platform platform, Platform::ParseOrHost(options.platform));
    return LoadFrom(daemon, source, platform, "", show).In("pull " + options.source);
  }
  VARVE_ASSIGN_OR_RETURN(const Reference reference, Reference::Parse(options.source));
  v1::PullRequest request;
  request.set_reference(options.source);
  request.set_platform(options.platform);
  VARVE_ASSIGN_OR_RETURN(*request.mutable_access(),
                         AccessTo(reference.domain, options.tls_verify == "false" ? TlsMode::kSkip : TlsMode::kVerify));
  return daemon.Pull(request, show);
}

void AddPull(Cli& cli) {
  auto options = std::make_shared<PullCommandOptions>();
  CLI::App* command =
      cli.app.add_subcommand("pull", "Bring an image from a registry, an OCI layout or an archive into the store");
  command
      ->add_option("IMAGE", options->pull.source,
                   "NAME[:TAG][@DIGEST], oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:NAME]")
      ->required();
  command->add_option("--platform", options->pull.platform, "os/arch[/variant] to choose from a multi-platform image");
  CLI::Option* quiet = command->add_flag("-q,--quiet", options->quiet, "print the image's name only");
  command->add_flag("--json", options->json, "print progress, result or error as JSON objects, one a line")
      ->excludes(quiet);
  command->add_option("--tls-verify", options->pull.tls_verify, "false: accept any certificate, or plain HTTP")
      ->check(CLI::IsMember({"true", "false"}));
  SetAction(cli, command, options, RunPull);
}

}  // namespace varve
