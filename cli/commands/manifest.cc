#include <fmt/core.h>

#include <algorithm>
#include <cstdio>

#include "cached/content/sha256.h"
#include "cached/oci/image_config.h"
#include "cached/oci/reference.h"
#include "cli/caller_world.h"
#include "cli/cli.h"
#include "cli/copy/copy_source.h"
#include "cli/manifest_lists.h"

namespace varve {
namespace {

struct ManifestOptions {
  std::string list;                 // of inspect, any reference
  std::vector<std::string> images;  // of annotate, one
  std::string destination;
  Platform platform;  // what annotate sets; empty: it stays
  bool amend = false;
  bool purge = false;
  std::string tls_verify = "true";

  TlsMode tls() const { return tls_verify == "false" ? TlsMode::kSkip : TlsMode::kVerify; }
};

Result<int> RunInspect(Session& session, const ManifestOptions& options) {
  VARVE_ASSIGN_OR_RETURN(const Reference reference, Reference::Parse(options.list));
  VARVE_ASSIGN_OR_RETURN(const auto list, ManifestLists(session.paths()).Find(reference));
  std::string manifest = list ? ManifestLists::Published(*list) : "";
  if (!list) {
    v1::GetManifestRequest request;
    request.set_reference(options.list);
    VARVE_ASSIGN_OR_RETURN(*request.mutable_access(), AccessTo(reference.domain, options.tls()));
    VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
    VARVE_ASSIGN_OR_RETURN(v1::GetManifestReply reply, daemon.GetManifest(request));
    manifest = std::move(*reply.mutable_manifest());
  }
  std::fwrite(manifest.data(), 1, manifest.size(), stdout);
  return 0;
}

Result<std::unique_ptr<CopySource>> OpenAll(DaemonClient& daemon, const std::string& image, TlsMode tls) {
  VARVE_ASSIGN_OR_RETURN(const Reference reference, Reference::Parse(image));
  VARVE_ASSIGN_OR_RETURN(const v1::RegistryAccess access, AccessTo(reference.domain, tls));
  return OpenCopySource(daemon, {ImageLocation::Kind::kRegistry, image, ""}, std::nullopt, access);
}

// Of an image with one manifest: its config says what it is for.
Result<Descriptor> EntryOf(CopySource& source) {
  const ImageTree::Document& top = source.image().top();
  VARVE_ASSIGN_OR_RETURN(const Manifest manifest, ParseManifest(top.bytes, top.media_type));
  if (manifest.config.size_bytes > kConfigBytesMax)
    return Error(Code::kResourceExhausted, "its config is larger than " + std::to_string(kConfigBytesMax) + " bytes");
  Bytes config;
  VARVE_RETURN_IF_ERROR(source.Read(std::span(&manifest.config, 1), [&](std::size_t, ByteSpan piece) -> Status {
    config.insert(config.end(), piece.begin(), piece.end());
    return Ok();
  }));
  if (Sha256Of(config) != manifest.config.digest) return Error(Code::kDataLoss, "its config has another digest");
  VARVE_ASSIGN_OR_RETURN(const ImageConfig parsed, ParseImageConfig(config));
  Descriptor entry = DescriptorOf(top.media_type, top.digest, top.bytes.size());
  entry.platform = parsed.platform;
  return entry;
}

// The image's manifests, all of them if it has several platforms, take the place of themselves or come last.
Status AddTo(Index& list, DaemonClient& daemon, const std::string& image, TlsMode tls) {
  VARVE_ASSIGN_OR_RETURN(Reference found_by, Reference::Parse(image));
  VARVE_ASSIGN_OR_RETURN(const auto source, OpenAll(daemon, image, tls));
  const ImageTree::Document& top = source->image().top();
  std::vector<Descriptor> entries;
  VARVE_ASSIGN_OR_RETURN(const ManifestKind kind, DetectManifestKind(top.bytes, top.media_type));
  if (kind == ManifestKind::kIndex) {
    VARVE_ASSIGN_OR_RETURN(Index index, ParseIndex(top.bytes, top.media_type));
    std::erase_if(index.manifests, IsAttestation);
    entries = std::move(index.manifests);
  } else {
    VARVE_ASSIGN_OR_RETURN(entries.emplace_back(), EntryOf(*source));
  }
  for (Descriptor& entry : entries) {
    found_by.digest = entry.digest;
    entry.annotations[kFoundByAnnotation] = found_by.Canonical();
    std::erase_if(list.manifests, [&](const Descriptor& other) { return other.digest == entry.digest; });
    list.manifests.push_back(std::move(entry));
  }
  return Ok();
}

Result<int> RunCreate(Session& session, const ManifestOptions& options) {
  VARVE_ASSIGN_OR_RETURN(const Reference name, Reference::Parse(options.list));
  if (name.digest) return Error(Code::kInvalidArgument, options.list + ": a list is named by a tag");
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  const ManifestLists lists(session.paths());
  VARVE_ASSIGN_OR_RETURN(const auto before, lists.Find(name));
  if (before && !options.amend)
    return Error(Code::kAlreadyExists, "manifest list " + name.Familiar() + " is there: use --amend to add to it");
  Index list = before.value_or(Index());
  for (const std::string& image : options.images)
    VARVE_RETURN_IF_ERROR(AddTo(list, daemon, image, options.tls()).In("manifest create: " + image));
  VARVE_RETURN_IF_ERROR(lists.Keep(name, list));
  fmt::print("Created manifest list {}\n", name.Canonical());
  return 0;
}

Result<int> RunAnnotate(Session& session, const ManifestOptions& options) {
  VARVE_ASSIGN_OR_RETURN(const Reference name, Reference::Parse(options.list));
  VARVE_ASSIGN_OR_RETURN(const Reference image, Reference::Parse(options.images.front()));
  const ManifestLists lists(session.paths());
  VARVE_ASSIGN_OR_RETURN(Index list, lists.Get(name));
  const auto found = std::ranges::find_if(list.manifests, [&](const Descriptor& entry) {
    const auto by = Reference::Parse(entry.annotations.at(kFoundByAnnotation));
    if (!by.ok() || by->Repository() != image.Repository()) return false;
    return image.digest ? by->digest == image.digest : by->tag == image.tag;
  });
  if (found == list.manifests.end())
    return Error(Code::kNotFound, "manifest list " + name.Familiar() + ": has no image " + image.Familiar());
  Platform platform = found->platform.value_or(Platform());
  if (!options.platform.os.empty()) platform.os = options.platform.os;
  if (!options.platform.architecture.empty()) platform.architecture = options.platform.architecture;
  if (!options.platform.variant.empty()) platform.variant = options.platform.variant;
  found->platform = platform;
  VARVE_RETURN_IF_ERROR(lists.Keep(name, list));
  return 0;
}

// Every image first, each by its digest, so that blobs are mounted or come straight from where they are; then the list.
Result<std::string> PushList(DaemonClient& daemon, const Index& list, const std::string& destination, TlsMode tls) {
  VARVE_ASSIGN_OR_RETURN(const Reference target, Reference::Parse(destination));
  const auto access = [&](const std::string& repository) { return AnswerAccess<v1::PushRequest>(repository, tls); };
  std::string digest;
  const auto push = [&](const v1::PushRequest::Start& start) {
    return daemon.Push(
        start, access,
        [](const std::string& blob, const DaemonClient::Send&) {
          return Status(Error(Code::kNotFound, "blob " + blob + ": was taken away there meanwhile"));
        },
        [&](const v1::PushEvent& event) {
          if (event.has_done()) digest = event.done().manifest_digest();
        });
  };
  v1::PushRequest::Start whole;
  for (const Descriptor& entry : list.manifests) {
    v1::PushRequest::Start start;
    start.set_source(entry.annotations.at(kFoundByAnnotation));
    start.mutable_choice()->set_all(true);
    start.set_destination(target.Repository() + "@" + entry.digest.ToString());
    VARVE_RETURN_IF_ERROR(push(start));
    VARVE_ASSIGN_OR_RETURN(const auto source, OpenAll(daemon, start.source(), tls));
    for (const ImageTree::Document& document : source->image().manifests)
      whole.add_manifests(std::string(AsText(document.bytes)));
  }
  whole.add_manifests(ManifestLists::Published(list));
  whole.set_destination(target.Canonical());
  VARVE_RETURN_IF_ERROR(push(whole));
  return digest;
}

Result<int> RunPush(Session& session, const ManifestOptions& options) {
  VARVE_ASSIGN_OR_RETURN(const Reference name, Reference::Parse(options.list));
  const ManifestLists lists(session.paths());
  VARVE_ASSIGN_OR_RETURN(const Index list, lists.Get(name));
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  VARVE_ASSIGN_OR_RETURN(
      const std::string digest,
      PushList(daemon, list, options.destination.empty() ? options.list : options.destination, options.tls()));
  if (options.purge) VARVE_RETURN_IF_ERROR(lists.Forget(name));
  fmt::print("{}\n", digest);
  return 0;
}

Result<int> RunRemove(Session& session, const ManifestOptions& options) {
  return ForEach(options.images, [&](const std::string& text) -> Status {
    VARVE_ASSIGN_OR_RETURN(const Reference name, Reference::Parse(text));
    return ManifestLists(session.paths()).Forget(name);
  });
}

}  // namespace

void AddManifest(Cli& cli) {
  CLI::App* manifest = cli.app.add_subcommand("manifest", "Look at manifests, and make lists of several platforms");
  manifest->require_subcommand(1);
  const auto add = [&](const char* name, const char* what, auto run) {
    auto options = std::make_shared<ManifestOptions>();
    CLI::App* command = manifest->add_subcommand(name, what);
    SetAction(cli, command, options, run);
    return std::pair(command, options);
  };
  const auto add_tls = [](CLI::App* command, const std::shared_ptr<ManifestOptions>& options) {
    command->add_option("--tls-verify", options->tls_verify, "false: accept any certificate, or plain HTTP")
        ->check(CLI::IsMember({"true", "false"}));
  };
  {
    auto [command, options] = add("inspect", "Print a list, or a manifest or index as its registry has it", RunInspect);
    command->add_option("REFERENCE", options->list, "NAME[:TAG][@DIGEST]")->required();
    add_tls(command, options);
  }
  {
    auto [command, options] = add("create", "Make a list of images at registries, to be pushed", RunCreate);
    command->add_option("LIST", options->list, "NAME[:TAG] of the list")->required();
    command->add_option("IMAGE", options->images, "references, one or more")->required();
    command->add_flag("-a,--amend", options->amend, "add to a list that is there");
    add_tls(command, options);
  }
  {
    auto [command, options] = add("annotate", "Say for which platform an image of a list is", RunAnnotate);
    command->add_option("LIST", options->list, "the list")->required();
    command->add_option("IMAGE", options->images, "as it was given to create")->required()->expected(1);
    command->add_option("--os", options->platform.os, "operating system");
    command->add_option("--arch", options->platform.architecture, "processor");
    command->add_option("--variant", options->platform.variant, "the processor's variant");
  }
  {
    auto [command, options] = add("push", "Send a list, and every image in it, to a registry", RunPush);
    command->add_option("LIST", options->list, "the list")->required();
    command->add_option("DESTINATION", options->destination, "NAME[:TAG]; without it the list's name says where");
    command->add_flag("-p,--purge", options->purge, "forget the list afterwards");
    add_tls(command, options);
  }
  {
    auto [command, options] = add("rm", "Forget lists", RunRemove);
    command->add_option("LIST", options->images, "lists, one or more")->required();
  }
}

}  // namespace varve
