#include "cli/pull.h"

#include <fmt/core.h>

#include "cli/cli.h"
#include "cli/layout_source.h"

namespace varve {
namespace {

constexpr std::string_view kLayoutPrefix = "oci:";

Result<int> RunPull(Session& session, const PullOptions& options) {
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  PullProgress progress(PullProgress::StyleFor(options.quiet));
  VARVE_RETURN_IF_ERROR(PullFrom(daemon, options, progress));
  progress.Finish();
  return 0;
}

}  // namespace

Status PullFrom(DaemonClient& daemon, const PullOptions& options, PullProgress& progress) {
  const auto show = [&](const v1::PullEvent& event) { progress.Show(event); };
  if (options.source.starts_with(kLayoutPrefix)) {
    Platform platform = Platform::Host();
    if (!options.platform.empty()) {
      VARVE_ASSIGN_OR_RETURN(platform, Platform::Parse(options.platform));
    }
    return LoadFromLayout(daemon, options.source.substr(kLayoutPrefix.size()), platform, show)
        .In("pull " + options.source);
  }
  VARVE_ASSIGN_OR_RETURN(const Reference reference, Reference::Parse(options.source));
  v1::PullRequest request;
  request.set_reference(options.source);
  request.set_platform(options.platform);
  VARVE_ASSIGN_OR_RETURN(*request.mutable_access(),
                         AccessTo(reference, options.tls_verify == "false" ? TlsMode::kSkip : TlsMode::kVerify));
  return daemon.Pull(request, show);
}

void AddPull(Cli& cli) {
  auto options = std::make_shared<PullOptions>();
  CLI::App* command = cli.app.add_subcommand("pull", "Bring an image from a registry or an OCI layout into the store");
  command->add_option("IMAGE", options->source, "NAME[:TAG][@DIGEST], or oci:DIR[:TAG]")->required();
  command->add_option("--platform", options->platform, "os/arch[/variant] to choose from a multi-platform image");
  command->add_flag("-q,--quiet", options->quiet, "print the image's name only");
  command->add_option("--tls-verify", options->tls_verify, "false: accept any certificate, or plain HTTP")
      ->check(CLI::IsMember({"true", "false"}));
  SetAction(cli, command, options, RunPull);
}

}  // namespace varve
