#include <fmt/core.h>

#include "cached/oci/reference.h"
#include "cli/caller_world.h"
#include "cli/cli.h"
#include "cli/documents.h"
#include "cli/transfer_progress.h"

namespace varve {
namespace {

struct PushOptions {
  std::string image;
  std::string destination;
  std::string compression;
  bool all_platforms = false;
  std::string tls_verify = "true";
  bool quiet = false;
  bool json = false;
};

Status PushAndShow(Session& session, const PushOptions& options) {
  using Style = TransferProgress::Style;
  const Style style = options.json ? Style::kJson : options.quiet ? Style::kQuiet : TransferProgress::StyleOfOutput();
  const TlsMode tls = options.tls_verify == "false" ? TlsMode::kSkip : TlsMode::kVerify;
  v1::PushRequest::Start start;
  start.set_image(options.image);
  start.set_destination(options.destination);
  start.set_compression(options.compression);
  start.mutable_choice()->set_all(options.all_platforms);
  const auto named = Reference::Parse(options.destination.empty() ? options.image : options.destination);
  if (named.ok() && style != Style::kJson && style != Style::kQuiet)
    fmt::print("The push refers to repository [{}]\n", named->Repository());
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  TransferProgress progress(style, TransferProgress::Direction::kPush);
  v1::PushEvent::Done done;
  const auto access = [&](const std::string& repository) { return AnswerAccess<v1::PushRequest>(repository, tls); };
  VARVE_RETURN_IF_ERROR(daemon.Push(start, access, {}, [&](const v1::PushEvent& event) {
    v1::PullEvent layers;
    *layers.mutable_layers() = event.layers();
    progress.Show(layers);
    if (event.has_done()) done = event.done();
  }));
  if (style == Style::kJson) {
    fmt::print("{}\n", PushDoneJson(done));
    return Ok();
  }
  WarnOfChanges(done);
  VARVE_ASSIGN_OR_RETURN(const Reference pushed, Reference::Parse(done.reference()));
  if (style == Style::kQuiet) {
    fmt::print("{}\n", done.reference());
  } else {
    fmt::print("{}: digest: {} size: {}\n", pushed.tag.empty() ? pushed.Repository() : pushed.tag,
               done.manifest_digest(), done.size_bytes());
  }
  return Ok();
}

Result<int> RunPush(Session& session, const PushOptions& options) {
  const Status pushed = PushAndShow(session, options);
  if (pushed.ok()) return 0;
  if (!options.json) return pushed.error();
  fmt::print("{}\n", ErrorJson(pushed.error()));
  return kFailure;
}

}  // namespace

void AddPush(Cli& cli) {
  auto options = std::make_shared<PushOptions>();
  CLI::App* command = cli.app.add_subcommand("push", "Send an image to a registry");
  command->add_option("IMAGE", options->image, "name or id")->required();
  command->add_option("DESTINATION", options->destination, "NAME[:TAG]; without it the image's name says where");
  CLI::Option* compression =
      command->add_option("--compression", options->compression,
                          "gzip[:LEVEL] (default) or zstd[:LEVEL], of layers that have to be compressed");
  command
      ->add_flag("--all-platforms", options->all_platforms,
                 "the whole index that the image was pulled from, the other platforms' images from there")
      ->excludes(compression);
  CLI::Option* quiet = command->add_flag("-q,--quiet", options->quiet, "print the image's name only");
  command->add_flag("--json", options->json, "print progress, result or error as JSON objects, one a line")
      ->excludes(quiet);
  command->add_option("--tls-verify", options->tls_verify, "false: accept any certificate, or plain HTTP")
      ->check(CLI::IsMember({"true", "false"}));
  SetAction(cli, command, options, RunPush);
}

}  // namespace varve
