#include <cstdio>

#include "cached/oci/reference.h"
#include "cli/caller_world.h"
#include "cli/cli.h"

namespace varve {
namespace {

struct ManifestOptions {
  std::string reference;
  std::string tls_verify = "true";
};

Result<int> RunInspect(Session& session, const ManifestOptions& options) {
  VARVE_ASSIGN_OR_RETURN(const Reference reference, Reference::Parse(options.reference));
  v1::GetManifestRequest request;
  request.set_reference(options.reference);
  VARVE_ASSIGN_OR_RETURN(*request.mutable_access(),
                         AccessTo(reference.domain, options.tls_verify == "false" ? TlsMode::kSkip : TlsMode::kVerify));
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  VARVE_ASSIGN_OR_RETURN(const v1::GetManifestReply reply, daemon.GetManifest(request));
  std::fwrite(reply.manifest().data(), 1, reply.manifest().size(), stdout);
  return 0;
}

}  // namespace

void AddManifest(Cli& cli) {
  CLI::App* manifest = cli.app.add_subcommand("manifest", "Look at manifests at a registry");
  manifest->require_subcommand(1);
  auto options = std::make_shared<ManifestOptions>();
  CLI::App* command =
      manifest->add_subcommand("inspect", "Print a manifest or an index as the registry has it, byte for byte");
  command->add_option("REFERENCE", options->reference, "NAME[:TAG][@DIGEST]")->required();
  command->add_option("--tls-verify", options->tls_verify, "false: accept any certificate, or plain HTTP")
      ->check(CLI::IsMember({"true", "false"}));
  SetAction(cli, command, options, RunInspect);
}

}  // namespace varve
