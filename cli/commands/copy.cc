#include <fmt/core.h>

#include "cached/oci/reference.h"
#include "cli/archive/image_source.h"
#include "cli/caller_world.h"
#include "cli/cli.h"
#include "cli/copy/copy_target.h"
#include "cli/documents.h"
#include "cli/transfer_progress.h"

namespace varve {
namespace {

using Kind = ImageLocation::Kind;

struct CopyCommandOptions {
  std::string source;
  std::string destination;
  std::string platform;
  bool all_platforms = false;
  std::string compression;
  std::string tls_verify = "true";
  bool quiet = false;
  bool json = false;
};

// One copy, from where it starts to where it ends.
class Copy {
 public:
  Copy(DaemonClient& daemon, const CopyCommandOptions& options, TransferProgress& progress)
      : daemon_(daemon),
        source_(ImageLocation::Parse(options.source)),
        target_(ImageLocation::Parse(options.destination)),
        options_(options),
        progress_(progress) {}

  // The digest of what is there now.
  Result<v1::PushEvent::Done> Run() {
    const bool pushes = source_.kind == Kind::kStore && target_.kind == Kind::kRegistry;
    if (options_.all_platforms && !pushes && (source_.kind == Kind::kStore || target_.kind == Kind::kStore))
      return Error(Code::kInvalidArgument, "--all-platforms: the store holds one platform of an image");
    if (options_.all_platforms && pushes && !options_.compression.empty())
      return Error(Code::kInvalidArgument, "--compression: an index names digests, which stay with --all-platforms");
    if (!options_.compression.empty() && target_.kind != Kind::kRegistry)
      return Error(Code::kInvalidArgument, "--compression: layers are compressed for registries only");
    if (!options_.all_platforms) {
      VARVE_ASSIGN_OR_RETURN(platform_, Platform::ParseOrHost(options_.platform));
    }
    if (target_.kind == Kind::kRegistry) return ToRegistry();
    if (target_.kind == Kind::kStore) return ToStore();
    VARVE_ASSIGN_OR_RETURN(const auto source, Open());
    VARVE_RETURN_IF_ERROR(CopyToFiles(*source, target_, Show()));
    return DoneOf(source->image().top().digest.ToString());
  }

 private:
  TlsMode tls() const { return options_.tls_verify == "false" ? TlsMode::kSkip : TlsMode::kVerify; }
  DaemonClient::OnPullEvent Show() {
    return [this](const v1::PullEvent& event) { progress_.Show(event); };
  }
  static v1::PushEvent::Done DoneOf(const std::string& digest) {
    v1::PushEvent::Done done;
    done.set_manifest_digest(digest);
    return done;
  }
  Result<v1::RegistryAccess> AccessToSource() const {
    if (source_.kind != Kind::kRegistry) return v1::RegistryAccess();
    VARVE_ASSIGN_OR_RETURN(const Reference reference, Reference::Parse(source_.place));
    return AccessTo(reference.domain, tls());
  }
  Result<std::unique_ptr<CopySource>> Open() const {
    VARVE_ASSIGN_OR_RETURN(const v1::RegistryAccess access, AccessToSource());
    return OpenCopySource(daemon_, source_, platform_, access);
  }

  Result<v1::PushEvent::Done> ToRegistry() {
    v1::PushRequest::Start start;
    start.set_destination(target_.place);
    start.set_compression(options_.compression);
    std::unique_ptr<CopySource> source;
    start.mutable_choice()->set_all(options_.all_platforms);
    if (source_.kind == Kind::kStore) {
      start.set_image(source_.place);
    } else if (source_.kind == Kind::kRegistry) {
      start.set_source(source_.place);
      start.mutable_choice()->set_platform(options_.platform);
    } else {
      VARVE_ASSIGN_OR_RETURN(source, Open());
      for (const ImageTree::Document& document : source->image().manifests)
        start.add_manifests(std::string(AsText(document.bytes)));
      // It has no manifest whose digest could stay.
      if (source_.kind == Kind::kDockerArchive && options_.compression.empty()) start.set_compression("gzip");
    }
    const auto access = [&](const std::string& repository) { return AnswerAccess<v1::PushRequest>(repository, tls()); };
    const auto send_blob = [&](const std::string& digest, const DaemonClient::Send& send) -> Status {
      for (const Descriptor& blob : source->image().blobs) {
        if (blob.digest.ToString() != digest) continue;
        return source->Read(std::span(&blob, 1), [&](std::size_t, ByteSpan piece) { return send(piece); });
      }
      return Error(Code::kInternal, "no blob of the image is " + digest);
    };
    v1::PushEvent::Done done;
    VARVE_RETURN_IF_ERROR(daemon_.Push(start, access, send_blob, [&](const v1::PushEvent& event) {
      v1::PullEvent layers;
      *layers.mutable_layers() = event.layers();
      progress_.Show(layers);
      if (event.has_done()) done = event.done();
    }));
    return done;
  }

  Result<v1::PushEvent::Done> ToStore() {
    VARVE_ASSIGN_OR_RETURN(const Reference name, Reference::Parse(target_.place));
    if (source_.kind == Kind::kStore) {
      VARVE_RETURN_IF_ERROR(daemon_.TagImage(source_.place, target_.place));
      VARVE_ASSIGN_OR_RETURN(const v1::ImageDetail image,
                             daemon_.InspectImage(target_.place, DaemonClient::Purpose::kLook));
      return DoneOf(image.manifest_digest());
    }
    if (source_.kind == Kind::kRegistry) {
      v1::PullRequest request;
      request.set_reference(source_.place);
      request.set_platform(options_.platform);
      request.set_name(target_.place);
      VARVE_ASSIGN_OR_RETURN(*request.mutable_access(), AccessToSource());
      VARVE_RETURN_IF_ERROR(daemon_.Pull(request, Show()));
    } else {
      VARVE_RETURN_IF_ERROR(LoadFrom(daemon_, source_, *platform_, name.Canonical(), Show()));
    }
    return DoneOf(progress_.done().manifest_digest());
  }

  DaemonClient& daemon_;
  const ImageLocation source_;
  const ImageLocation target_;
  const CopyCommandOptions& options_;
  TransferProgress& progress_;
  std::optional<Platform> platform_;  // nothing: all
};

Status CopyAndShow(Session& session, const CopyCommandOptions& options) {
  using Style = TransferProgress::Style;
  const Style style = options.json ? Style::kJson : options.quiet ? Style::kQuiet : TransferProgress::StyleOfOutput();
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  TransferProgress progress(style, TransferProgress::Direction::kCopy);
  VARVE_ASSIGN_OR_RETURN(v1::PushEvent::Done done, Copy(daemon, options, progress).Run().In("copy " + options.source));
  done.set_reference(options.destination);
  if (style == Style::kJson) {
    fmt::print("{}\n", PushDoneJson(done));
    return Ok();
  }
  const bool archive = ImageLocation::Parse(options.source).kind == Kind::kDockerArchive;
  if (!archive) WarnOfChanges(done);  // it has no manifest that could be another one
  fmt::print("{}{}\n", style == Style::kQuiet ? "" : "Digest: ", done.manifest_digest());
  return Ok();
}

Result<int> RunCopy(Session& session, const CopyCommandOptions& options) {
  const Status copied = CopyAndShow(session, options);
  if (copied.ok()) return 0;
  if (!options.json) return copied.error();
  fmt::print("{}\n", ErrorJson(copied.error()));
  return kFailure;
}

}  // namespace

void AddCopy(Cli& cli) {
  auto options = std::make_shared<CopyCommandOptions>();
  CLI::App* command =
      cli.app.add_subcommand("copy", "Copy an image between registries, OCI layouts, archives and the store");
  constexpr const char* kNotation =
      "[docker://]NAME[:TAG][@DIGEST], varve:NAME, oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:NAME]";
  command->add_option("SOURCE", options->source, kNotation)->required();
  command->add_option("DESTINATION", options->destination, "the same")->required();
  CLI::Option* platform =
      command->add_option("--platform", options->platform, "os/arch[/variant] to choose from a multi-platform image");
  command->add_flag("--all-platforms", options->all_platforms, "copy all of a multi-platform image")
      ->excludes(platform);
  command->add_option("--compression", options->compression,
                      "gzip[:LEVEL] or zstd[:LEVEL], of layers that are not compressed");
  CLI::Option* quiet = command->add_flag("-q,--quiet", options->quiet, "print the manifest's digest only");
  command->add_flag("--json", options->json, "print progress, result or error as JSON objects, one a line")
      ->excludes(quiet);
  command->add_option("--tls-verify", options->tls_verify, "false: accept any certificate, or plain HTTP")
      ->check(CLI::IsMember({"true", "false"}));
  SetAction(cli, command, options, RunCopy);
}

}  // namespace varve
