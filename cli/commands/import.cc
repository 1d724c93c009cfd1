#include <fmt/chrono.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "cached/content/sha256.h"
#include "cached/oci/manifest.h"
#include "cached/oci/media_types.h"
#include "cached/oci/reference.h"
#include "cli/archive/import_config.h"
#include "cli/archive/output_file.h"
#include "cli/archive/plain_file.h"
#include "cli/caller_world.h"
#include "cli/cli.h"

namespace varve {
namespace {

constexpr std::size_t kPieceBytes = 1 << 20;

struct ImportOptions {
  std::string file;
  std::string reference;
  std::string message;
  std::string platform;
  std::vector<std::string> changes;
};

// Hands all of the file to `sink`, from its beginning on.
Status ReadAll(const UniqueFd& file, const DaemonClient::Send& sink) {
  Bytes piece(kPieceBytes);
  for (off_t offset = 0;;) {
    const ssize_t size = ::pread(file.get(), piece.data(), piece.size(), offset);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return ErrnoError(errno, "the tar cannot be read");
    if (size == 0) return Ok();
    VARVE_RETURN_IF_ERROR(sink(ByteSpan(piece).first(static_cast<std::size_t>(size))));
    offset += size;
  }
}

bool IsUrl(const std::string& text) { return text.starts_with("http://") || text.starts_with("https://"); }

Result<UniqueFd> Download(DaemonClient& daemon, const std::string& url) {
  const std::size_t host = url.find("://") + 3;
  v1::DownloadRequest request;
  request.set_url(url);
  VARVE_ASSIGN_OR_RETURN(*request.mutable_access(),
                         ConnectionTo(url.substr(host, url.find('/', host) - host), TlsMode::kVerify));
  VARVE_ASSIGN_OR_RETURN(UniqueFd file, CreateTemporary());
  std::uint64_t size_bytes = 0;
  VARVE_RETURN_IF_ERROR(daemon.Download(request, [&](ByteSpan piece) -> Status {
    size_bytes += piece.size();
    if (size_bytes > kPlainBytesMax)
      return Error(Code::kResourceExhausted, fmt::format("is more than the limit of {} bytes", kPlainBytesMax));
    return WriteAll(file.get(), piece).In("temporary file");
  }));
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return ErrnoError(errno, "temporary file");
  return PlainOf(std::move(file), url);
}

// The image's id.
Result<Digest> Import(Session& session, const ImportOptions& options) {
  v1::LoadRequest::Start start;
  if (!options.reference.empty()) {
    VARVE_ASSIGN_OR_RETURN(const Reference name, Reference::Parse(options.reference));
    if (name.digest) return Error(Code::kInvalidArgument, options.reference + ": a tag cannot be a digest");
    start.set_reference(name.Canonical());
  }
  ImportedImage image;
  VARVE_ASSIGN_OR_RETURN(image.platform, Platform::ParseOrHost(options.platform));
  image.created = fmt::format("{:%FT%TZ}", fmt::gmtime(std::chrono::system_clock::now()));
  image.comment = options.message.empty() ? "Imported from " + options.file : options.message;
  image.changes = options.changes;
  VARVE_RETURN_IF_ERROR(ImportConfigJson(image));  // a change that is wrong is said before anything is read

  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  VARVE_ASSIGN_OR_RETURN(const UniqueFd tar,
                         IsUrl(options.file) ? Download(daemon, options.file) : OpenPlain(options.file));
  Sha256 hash;
  std::uint64_t tar_bytes = 0;
  VARVE_RETURN_IF_ERROR(ReadAll(tar, [&](ByteSpan piece) -> Status {
    hash.Update(piece);
    tar_bytes += piece.size();
    return Ok();
  }));
  image.diff_id = hash.Finish();
  VARVE_ASSIGN_OR_RETURN(const std::string config, ImportConfigJson(image));
  const Digest id = Sha256Of(AsBytes(config));
  Manifest manifest;
  manifest.media_type = kOciManifestType;
  manifest.config = DescriptorOf(kOciConfigType, id, config.size());
  manifest.layers = {DescriptorOf(kOciLayerType, image.diff_id, tar_bytes)};
  start.set_manifest(ManifestJson(manifest));
  start.set_config(config);
  VARVE_RETURN_IF_ERROR(daemon.Load(
      start, [&](const std::string&, const DaemonClient::Send& send) { return ReadAll(tar, send); },
      [](const v1::PullEvent&) {}));
  return id;
}

Result<int> RunImport(Session& session, const ImportOptions& options) {
  VARVE_ASSIGN_OR_RETURN(const Digest id, Import(session, options).In("import " + options.file));
  fmt::print("{}\n", id.ToString());
  return 0;
}

}  // namespace

void AddImport(Cli& cli) {
  auto options = std::make_shared<ImportOptions>();
  CLI::App* command = cli.app.add_subcommand("import", "Make an image of one layer from a tar of a file system");
  command->add_option("FILE", options->file, "tar, compressed or not, or its URL; - for standard input")->required();
  command->add_option("NAME", options->reference, "NAME[:TAG] to give it");
  command->add_option("-c,--change", options->changes, "instruction of a Dockerfile to apply to the config")
      ->allow_extra_args(false);
  command->add_option("-m,--message", options->message, "comment in its history");
  command->add_option("--platform", options->platform, "os/arch[/variant] that it is for; default the host's");
  SetAction(cli, command, options, RunImport);
}

}  // namespace varve
